"""Saves many files; pull mirrors a workspace into a folder."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from ..client import FilesClient
from ..events import Event
from ..local.targets import local_path, remove_abandoned_parts
from ..models import File
from ..options import Overwrite
from .engine import Brake, Meter, Outcomes, Pace, Ready, Track, taken
from .outcomes import (
    BulkProgressCallback,
    BulkReport,
    Downloaded,
    DownloadOutcome,
    Failed,
    Keep,
    NotTried,
    Skipped,
    report_of,
)

# ---- What a mirror has already: where each file belongs in it, and whether an earlier pull has put it there.

# Of a name that gets a mark; with mark and ending it is short enough not to be cut again.
_LONGEST_STEM, _LONGEST_ENDING = 150, 16


def as_saved(root: Path, file: File) -> File:
    """Return a file under the name that it has in a mirror, whatever else is there: pure.

    A name that is not safe as it is gets a mark of what it was: two names that would become one
    stay two, and each is found again.

    Raises:
        ValueError: The name leads out of the folder.
    """
    name = local_path(file, root, keep_folders=True).relative_to(root).as_posix()
    return file if name == file.filename else evolve(file, filename=marked(name, file.filename))


def folded(path: Path) -> str:
    """Return what two paths have in common that some disks take for one: case and Unicode composition aside.

    Source: APFS and NTFS by default; Unicode Standard, 3.13, canonical caseless matching.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", str(path)).casefold())


def marked(name: str, was: str) -> str:
    """Return a name with a mark of what it was before its ending: ``notes_1 (93c7a506).md``."""
    folders, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    if not stem or len(ending.encode()) > _LONGEST_ENDING:
        stem, dot, ending = last, "", ""
    stem = stem.encode()[:_LONGEST_STEM].decode(errors="ignore").rstrip(" .")
    mark = sha256(was.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{folders}{slash}{stem} ({mark}){dot}{ending}"


def sorted_out(root: Path, newest: Iterable[File], saved: dict[str, File]) -> list[File | Ready[DownloadOutcome]]:
    """Return the files that are missing, and of the others what became of them. Blocking.

    Args:
        root: The folder of the mirror.
        newest: What belongs there.
        saved: Is given, by id, each file under the name that it has in the mirror. Of two that differ only in what
            some disks do not tell apart (``README.md`` and ``readme.md``), the later one gets a mark.
    """
    return [*_sorted_out(root, newest, saved)]


def _sorted_out(root: Path, newest: Iterable[File], saved: dict[str, File]) -> Iterator[File | Ready[DownloadOutcome]]:
    places: set[str] = set()
    for file in newest:
        try:
            mine = saved[file.id] = as_saved(root, file)
            place = local_path(mine, root, keep_folders=True)
            if folded(place) in places and mine.filename == file.filename:
                mine = saved[file.id] = evolve(file, filename=marked(file.filename, file.filename))
                place = local_path(mine, root, keep_folders=True)
        except ValueError:
            yield file  # to download it will fail, and say why
            continue
        if folded(place) in places:
            error = FileExistsError(errno.EEXIST, "another file of the workspace has this name here", str(place))
            yield Ready(Failed(source=file, error=error))
        else:
            places.add(folded(place))
            yield Ready(Skipped(source=file, reason="done", file_id=file.id)) if _is_at(place, file) else file


def _is_at(place: Path, file: File) -> bool:
    """Whether an earlier pull saved this very file: it left its time of creation on it."""
    try:
        status = place.stat()
    except (OSError, ValueError):
        return False
    same_time = file.created_at is not None and int(status.st_mtime) == int(file.created_at.timestamp())
    return stat.S_ISREG(status.st_mode) and status.st_size == file.size_bytes and same_time


# ---- Many downloads into a folder.

if TYPE_CHECKING:
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


# ---- Mirroring into a folder what models wrote: the newest of each name, and only what is not there yet.


async def _newest(files: FilesClient) -> list[File]:
    """Return the files that can be downloaded, of each name the one that was made last."""
    newest: dict[str, File] = {}
    async with aclosing(files.list()) as listing:
        async for file in listing:
            if file.downloadable:
                newest[file.filename] = file
    return list(newest.values())


async def _items(
    files: FilesClient, root: Path, saved: dict[str, File]
) -> AsyncGenerator[File | Ready[DownloadOutcome]]:
    for item in await asyncio.to_thread(sorted_out, root, await _newest(files), saved):
        yield item


async def pull(
    files: FilesClient,
    folder: str | os.PathLike[str],
    *,
    concurrency: int = 8,
    on_outcome: Callable[[DownloadOutcome], object] | None = None,
    on_progress: BulkProgressCallback | None = None,
) -> BulkReport:
    """Mirror the files that models wrote: names with their folders, the newest of each name.

    What an earlier pull saved and is still the newest is Skipped: it is where it belongs, has its
    size, and the time of creation on the server that the pull left on it. Nothing is deleted. The
    arguments are those of ``download_many``; the folder is made if it is missing. A name that is
    not safe here gets a mark of what it was: ``notes:1.md`` becomes ``notes_1 (93c7a506).md``; so does the
    later one of two names that some disks take for one, ``README.md`` and ``readme.md``.

    Raises:
        NotADirectoryError: The folder is something else.
        FilesError: The files could not be listed.
    """
    root, pace = Path(folder), Pace(concurrency)
    meter = Meter(pace, on_progress, files.options.on_event)
    saved: dict[str, File] = {}

    def renamed(file: File) -> File:
        return saved.get(file.id, file)

    how = {"keep_folders": True, "stamp": True}
    job = Downloads(files, root, pace, meter, overwrite="replace", renamed=renamed, **how)
    items = partial(_items, files, root, saved)
    outcomes = Outcomes(items, job.work, pace, statistics=meter.statistics, around=made(root))
    return await report_of(outcomes, on_outcome, keep="all")
