"""Many uploads: looked at before a byte is sent, journalled if asked for, each with its outcome."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from .engine import Brake, Meter, Outcomes, Pace, Ready, Seen
from .outcomes import Failed, NotTried, Refused, Uploaded, report_of
from .preflight import inspected, refusal
from .resume import Bookkeeping
from .sources import batches, file_filter

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable, Iterable

    from ..client import FilesClient
    from ..events import Event
    from ..models import File
    from .engine import Track
    from .outcomes import BulkProgressCallback, BulkReport, Keep, LocalFile, Skipped, UploadOutcome
    from .preflight import Inspection
    from .sources import FileFilter, Sources


class _Uploads:
    """One job."""

    def __init__(
        self,
        files: FilesClient,
        pace: Pace,
        meter: Meter,
        bookkeeping: Bookkeeping,
        *,
        wanted: FileFilter,
        preflight: bool,
    ) -> None:
        self._files = files
        self._wanted = wanted
        self._pace = pace
        self._meter = meter
        self._books = bookkeeping
        # Other stores have rules of their own, which nobody told us.
        self._preflight = preflight and files.options.provider is None
        self._brake = Brake(files)
        self._seen = Seen()
        self._ahead: dict[LocalFile, Inspection | OSError] = {}
        self._listening: dict[int, FilesClient] = {}

    async def items(self, sources: Sources) -> AsyncGenerator[LocalFile | Ready[UploadOutcome]]:
        """Yield what is to do, and of what needs no doing, the outcome; in batches, as most may be done."""
        async with aclosing(batches(sources, self._wanted)) as found:
            async for batch in found:
                for item in await self._sorted_out(await self._books.without_own(batch)):
                    yield item

    async def _sorted_out(self, batch: list[LocalFile]) -> list[LocalFile | Ready[UploadOutcome]]:
        outcomes = await self._books.done(batch)
        if not self._books.kept and self._brake.why is None:  # with a journal, a file is read whole in its turn
            self._ahead = dict(zip(batch, await inspected([source.path for source in batch]), strict=True))
        return [self._sorted(source, done) for source, done in zip(batch, outcomes, strict=True)]

    def _sorted(self, source: LocalFile, done: Skipped | None) -> LocalFile | Ready[UploadOutcome]:
        if self._seen.again(source):
            detail = "the same file was given before, to be stored under the same name"
            return Ready(Refused(source=source, reason="duplicate", detail=detail))
        return source if done is None else Ready(done)

    async def work(self, source: LocalFile) -> UploadOutcome:
        """Upload one file, or say why not."""
        if self._brake.why is not None:
            return NotTried(source=source, why=self._brake.why)
        try:
            return await self._inspect_and_send(source)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is about this file: an outcome
            await self._brake.hear(error)
            return Failed(source=source, error=error)

    async def _inspect_and_send(self, source: LocalFile) -> UploadOutcome:
        inspection = self._ahead.get(source) or (await inspected([source.path], hashed=self._books.kept))[0]
        if isinstance(inspection, OSError):
            return Refused(source=source, reason="unreadable", detail=inspection.strerror or str(inspection))
        refused = refusal(source, inspection) if self._preflight else None
        return refused or await self._books.known(source, inspection) or await self._send(source, inspection)

    async def _send(self, source: LocalFile, inspection: Inspection) -> Uploaded:
        self._meter.found(inspection.size)
        track = self._meter.track(source.filename)
        moved = False
        try:
            async with self._books.entry(source, inspection) as noted:
                file = await self._upload(source, inspection, track)
                noted.file_id = file.id
            moved = True
        finally:
            track.end(inspection.size, moved=moved)
        return Uploaded(source=source, file=file)

    def _listened_to(self, size: int) -> FilesClient:
        """Return a client that tells the pace about transfers of about this size: the pace compares no others."""
        magnitude = size.bit_length()
        if magnitude not in self._listening:

            def hear(event: Event) -> None:
                self._meter.hear(event)
                self._pace.hear_event(event, size)

            self._listening[magnitude] = self._files.with_options(on_event=hear)
        return self._listening[magnitude]

    async def _upload(self, source: LocalFile, inspection: Inspection, track: Track) -> File:
        files = self._listened_to(inspection.size)
        content = source.path if inspection.content is None else inspection.content
        return await files.upload(content, filename=source.filename, on_progress=track.listener)


def uploading(
    files: FilesClient,
    sources: Sources,
    *,
    include: str | Iterable[str] = (),
    exclude: str | Iterable[str] = (),
    hidden: bool = False,
    concurrency: int = 8,
    on_progress: BulkProgressCallback | None = None,
    journal: str | os.PathLike[str] | None = None,
    preflight: bool = True,
    skip_known: bool = False,
    verify: bool = False,
) -> Outcomes[LocalFile, UploadOutcome]:
    """Upload many files, and hand out the outcomes as they come; see Outcomes.

    Args:
        files: The client.
        sources: Paths, folders, ``(path, filename)`` pairs or LocalFiles, in any iterable or async
            iterable, taken as needed. A folder stands for the files inside it; links to folders in it
            are not followed. The journal's own files are never taken.
        include: Only files that match one of these patterns (``"*.csv"``, ``"data/*"``); empty for all.
            A pattern means the files that it matches and all below a folder that it matches; with a
            slash inside it is compared with the stored name, otherwise with each part of it.
        exclude: No file that matches one of these patterns.
        hidden: Whether hidden files and folders (``.env``, ``.git/``) inside a folder are taken, too, and
            unfinished downloads (``NAME.part-...``). A file that is named itself is taken in any case.
        concurrency: The most that run at once; it adapts to what the server takes.
        on_progress: Called with a BulkProgress.
        journal: A file that remembers what is stored: a job that was killed goes on where it was,
            nothing is stored twice, and what is done costs no request.
        preflight: Whether empty, too large and unacceptable files are refused before a byte is sent.
        skip_known: With a journal: whether bytes that are stored under another name count as done.
        verify: With a journal: whether the server is asked if what is done still exists.

    Raises:
        JournalError: When the job begins: the journal is held by another process, damaged, or not ours.
    """
    if journal is None and (skip_known or verify):
        raise ValueError("skip_known and verify need a journal")
    pace = Pace(concurrency)
    meter = Meter(pace, on_progress, files.options.on_event)
    books = Bookkeeping(files, journal, skip_known=skip_known, verify=verify)
    wanted = file_filter(include=include, exclude=exclude, hidden=hidden)
    job = _Uploads(files, pace, meter, books, wanted=wanted, preflight=preflight)
    return Outcomes(lambda: job.items(sources), job.work, pace, statistics=meter.statistics, around=books)


async def upload_many(
    files: FilesClient,
    sources: Sources,
    *,
    include: str | Iterable[str] = (),
    exclude: str | Iterable[str] = (),
    hidden: bool = False,
    concurrency: int = 8,
    on_outcome: Callable[[UploadOutcome], object] | None = None,
    on_progress: BulkProgressCallback | None = None,
    journal: str | os.PathLike[str] | None = None,
    preflight: bool = True,
    skip_known: bool = False,
    verify: bool = False,
    keep: Keep = "all",
) -> BulkReport:
    """Upload many files and report; the arguments are those of ``uploading``, and two more.

    ``on_outcome`` is called with each outcome as it comes; ``keep``: ``"problems"`` keeps only
    what went wrong in the report, for jobs of millions.
    """
    job = uploading(
        files,
        sources,
        include=include,
        exclude=exclude,
        hidden=hidden,
        concurrency=concurrency,
        on_progress=on_progress,
        journal=journal,
        preflight=preflight,
        skip_known=skip_known,
        verify=verify,
    )
    return await report_of(job, on_outcome, keep=keep)
