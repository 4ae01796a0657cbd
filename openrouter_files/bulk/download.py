"""Many downloads into a folder."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from ..local_names import local_path, remove_abandoned_parts
from ..models import File
from .items import taken
from .meter import Meter, Track
from .mirror import folded, marked
from .outcome import Downloaded, Failed, NotTried, Skipped
from .pace import Pace
from .report import Keep, report_of
from .running import Outcomes
from .stopping import Brake

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable

    from ..client import FilesClient
    from ..events import Event
    from ..options import Overwrite
    from .outcome import BulkProgressCallback, BulkReport, DownloadOutcome

    Wanted = File | str


class Downloads:
    """One job; ``renamed`` says under which name a file is saved."""

    def __init__(
        self,
        files: FilesClient,
        folder: Path,
        pace: Pace,
        meter: Meter,
        *,
        overwrite: Overwrite,
        keep_folders: bool,
        stamp: bool,
        renamed: Callable[[File], File] = lambda file: file,
    ) -> None:
        self._files = files.with_options(on_event=self._hear)
        self._folder = folder
        self._pace = pace
        self._meter = meter
        self._skips = overwrite == "skip"
        self._policy: Overwrite = "error" if overwrite == "skip" else overwrite
        self._keep_folders = keep_folders
        self._stamp = stamp
        self._renamed = renamed
        self._brake = Brake(files)
        self._names: dict[str, str] = {}

    def _hear(self, event: Event) -> None:
        self._meter.hear(event)
        self._pace.hear_event(event)

    async def work(self, wanted: Wanted) -> DownloadOutcome:
        """Download one file, or say why not."""
        if self._brake.why is not None:
            return NotTried(source=wanted, why=self._brake.why)
        try:
            return await self._download(wanted)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is about this file: an outcome
            await self._brake.hear(error)
            return Failed(source=wanted, error=error)

    async def _download(self, wanted: Wanted) -> DownloadOutcome:
        file = wanted if isinstance(wanted, File) else await self._described(wanted)
        self._meter.found(file.size_bytes)
        track = self._meter.track(file.filename)
        outcome: DownloadOutcome | None = None
        try:
            outcome = await self._save(file, track)
            return outcome
        finally:
            track.end(file.size_bytes or 0, moved=isinstance(outcome, Downloaded))

    async def _described(self, file_id: str) -> File:
        """Ask what a file is; one that nobody knows has its outcome, too."""
        try:
            return await self._files.retrieve(file_id)
        except Exception:
            self._meter.found(None)
            self._meter.finished(file_id, 0, moved=False)
            raise

    def _distinct(self, file: File) -> File:
        """Return a file under a name that no other file of this job takes, on disks that fold names either.

        ``README.md`` would replace ``readme.md`` there, or be skipped because of it. With ``"rename"`` it is numbered,
        with ``"error"`` it fails.
        """
        if self._policy != "replace" and not self._skips:
            return file
        try:
            place = folded(local_path(file, self._folder, keep_folders=self._keep_folders))
        except ValueError:  # to download it will fail, and say why
            return file
        first = self._names.setdefault(place, file.filename)
        return file if first == file.filename else evolve(file, filename=marked(file.filename, file.filename))

    async def _save(self, file: File, track: Track) -> DownloadOutcome:
        try:
            path = await self._files.download_to(
                self._distinct(self._renamed(file)),
                self._folder,
                overwrite=self._policy,
                keep_folders=self._keep_folders,
                on_progress=track.listener,
            )
        except FileExistsError as error:
            # What has the name may be a folder, or a link to nowhere: then the file is not there.
            if not self._skips or not await asyncio.to_thread(os.path.isfile, error.filename):
                raise
            return Skipped(source=file, reason="exists", file_id=file.id)
        if self._stamp and file.created_at is not None:
            moment = file.created_at.timestamp()
            await asyncio.to_thread(os.utime, path, (moment, moment))
        return Downloaded(file=file, path=path)


@asynccontextmanager
async def made(folder: Path) -> AsyncGenerator[None]:
    """Make the folder of a job, unless it is there; another path would be taken for the name of each file.

    What downloads into it that were killed have left there is removed.
    """
    try:
        await asyncio.to_thread(partial(folder.mkdir, parents=True, exist_ok=True))
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error
    await asyncio.to_thread(remove_abandoned_parts, folder)
    yield


def downloading(
    files: FilesClient,
    wanted: Iterable[File | str] | AsyncIterable[File | str],
    folder: str | os.PathLike[str],
    *,
    concurrency: int = 8,
    overwrite: Overwrite = "rename",
    keep_folders: bool = False,
    stamp: bool = False,
    on_progress: BulkProgressCallback | None = None,
) -> Outcomes[File | str, DownloadOutcome]:
    """Download many files, and hand out the outcomes as they come; see Outcomes.

    Args:
        files: The client.
        wanted: Ids or Files, taken as needed: ``files.list()`` is one.
        folder: Where they go; it is made if it is missing.
        concurrency: The most that run at once; it adapts to what the server takes.
        overwrite: If a name is taken; names are not unique, so the default numbers them.
        keep_folders: Whether ``a/b.txt`` becomes ``b.txt`` in a folder ``a``, not ``b.txt``.
        stamp: Whether a file gets the time at which it was created on the server.
        on_progress: Called with a BulkProgress.

    Raises:
        NotADirectoryError: When the job begins: the path is something else than a folder.
    """
    pace = Pace(concurrency)
    meter = Meter(pace, on_progress, files.options.on_event)
    job = Downloads(files, Path(folder), pace, meter, overwrite=overwrite, keep_folders=keep_folders, stamp=stamp)
    return Outcomes(lambda: taken(wanted), job.work, pace, statistics=meter.statistics, around=made(Path(folder)))


async def download_many(
    files: FilesClient,
    wanted: Iterable[File | str] | AsyncIterable[File | str],
    folder: str | os.PathLike[str],
    *,
    concurrency: int = 8,
    overwrite: Overwrite = "rename",
    keep_folders: bool = False,
    on_outcome: Callable[[DownloadOutcome], object] | None = None,
    on_progress: BulkProgressCallback | None = None,
    keep: Keep = "all",
) -> BulkReport:
    """Download many files and report; the arguments are those of ``downloading`` but ``stamp``, and two more.

    ``on_outcome`` is called with each outcome as it comes; ``keep``: ``"problems"`` keeps only
    what went wrong in the report.
    """
    job = downloading(
        files,
        wanted,
        folder,
        concurrency=concurrency,
        overwrite=overwrite,
        keep_folders=keep_folders,
        on_progress=on_progress,
    )
    return await report_of(job, on_outcome, keep=keep)
