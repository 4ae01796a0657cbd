"""What a job of uploads knows of earlier runs: a journal, or nothing."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Self

from attrs import define

from ..errors import AmbiguousUploadError, FilesError, NotFoundError
from .journal import Entry, Journal, Stamp, placed
from .journal_file import without_journal
from .outcome import Skipped
from .preflight import changed
from .resuming import Undecided, settle
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from types import TracebackType

    from ..client import FilesClient
    from .outcome import LocalFile
    from .preflight import Inspection


# Seconds by which the clock of this machine and that of the server may differ.
_CLOCKS_DIFFER = 60.0


@define
class Noted:
    """What an upload became; set before its entry ends."""

    file_id: str = ""


def _stamps(sources: Sequence[LocalFile]) -> list[Stamp]:
    """Read size and time of files; one that is not there has none that a journal knows."""
    found: list[Stamp] = []
    for source in sources:
        try:
            status = os.stat(source.path)  # noqa: PTH116 - a path is text here
            found.append((source, status.st_size, status.st_mtime_ns, changed(status)))
        except (OSError, ValueError):
            found.append((source, -1, 0, ""))
    return found


class Bookkeeping:
    """A journal for as long as a job runs."""

    def __init__(
        self, files: FilesClient, path: str | os.PathLike[str] | None, *, skip_known: bool, verify: bool
    ) -> None:
        self._files = files
        self._path = path
        self._skip_known = skip_known
        self._verify = verify
        self._journal: Journal | None = None
        self._newest: str | None = None
        self._undecided: dict[LocalFile, Undecided] = {}
        self._lacks_some = False
        self._turns = Turns()

    @property
    def kept(self) -> bool:
        """Whether there is a journal."""
        return self._path is not None

    async def __aenter__(self) -> Self:
        if self._path is not None:
            self._journal = await Journal.open(self._path, destination=_destination(self._files))
            try:
                await self._settle(self._journal)
            except BaseException:
                await self._journal.close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            await self._journal.close()

    async def _settle(self, journal: Journal) -> None:
        moment = 2 * self._files.options.retry.first_delay  # as the client waits for its own doubts
        for verdict in await settle(self._files, journal, moment=moment):
            if isinstance(verdict, Undecided):
                self._undecided[verdict.intent.entry.source] = verdict
        if journal.begun is not None:
            # All of them: what was lost may be older than the newest that is left. The journal keeps what it does not
            # know, as this job may be about other files, or end before it has come to them.
            listed = [file async for file in self._files.list()]
            await journal.unrecorded(listed, since=journal.begun - _CLOCKS_DIFFER)
        self._lacks_some = await journal.has_unrecorded()
        if self._files.options.provider is None:  # a provider's listing may have another order
            self._newest = await journal.newest_id() or await _last_id(self._files)

    async def without_own(self, sources: list[LocalFile]) -> list[LocalFile]:
        """Return the sources that are not files of the journal itself."""
        if self._path is None:
            return sources
        return await asyncio.to_thread(without_journal, os.fspath(self._path), sources)

    async def done(self, sources: Sequence[LocalFile]) -> list[Skipped | None]:
        """Return which of some files an earlier run stored, going by their size and time."""
        if self._journal is None or self._verify:
            return [None] * len(sources)
        stamps = await asyncio.to_thread(_stamps, sources)
        ids = await self._journal.done_many(stamps)
        pairs = zip(sources, ids, strict=True)
        return [Skipped(source=s, reason="done", file_id=i) if i is not None else None for s, i in pairs]

    async def known(self, source: LocalFile, inspection: Inspection) -> Skipped | None:
        """Return the file that this content is already, if it need not be sent.

        Raises:
            AmbiguousUploadError: An earlier run left a doubt about it that nobody can settle.
        """
        if self._journal is None:
            return None
        doubt = self._undecided.get(placed(source))
        if doubt is not None:
            raise AmbiguousUploadError("an earlier run may have stored it", candidates=doubt.candidates)
        entry = _entry(source, inspection)
        while (found := await self._found(self._journal, entry)) is not None:
            if await self._is_there(self._journal, found.file_id):
                await self._journal.adopt(entry, found.file_id)
                return found
        return await self._recovered(self._journal, entry)

    async def _recovered(self, journal: Journal, entry: Entry) -> Skipped | None:
        """Return the stored file that a journal which was not closed has lost, if there is one that fits."""
        if not self._lacks_some:
            return None
        oldest = entry.mtime_ns / 1e9 - _CLOCKS_DIFFER
        while (file_id := await journal.recovered(entry, oldest=oldest)) is not None:
            if await self._is_there(journal, file_id):
                return Skipped(source=entry.source, reason="done", file_id=file_id)
        return None

    async def _found(self, journal: Journal, entry: Entry) -> Skipped | None:
        """Return what the journal knows; if that is nothing, the caller may send it, as long as it does not pause."""
        if (file_id := await journal.refreshed(entry)) is not None:
            return Skipped(source=entry.source, reason="done", file_id=file_id)
        while self._skip_known:
            if (file_id := await journal.known(entry.sha256, entry.size)) is not None:
                return Skipped(source=entry.source, reason="known", file_id=file_id)
            if not await self._turns.over((entry.sha256, entry.size)):
                break
        return None

    async def _is_there(self, journal: Journal, file_id: str) -> bool:
        if not self._verify:
            return True
        try:
            await self._files.retrieve(file_id)
        except NotFoundError:
            await journal.forget(file_id)
            return False
        return True

    @asynccontextmanager
    async def entry(self, source: LocalFile, inspection: Inspection) -> AsyncGenerator[Noted]:
        """Note an upload before it begins and when it has ended; a doubt stays noted as what it is."""
        noted = Noted()
        if self._journal is None:
            yield noted
            return
        entry = _entry(source, inspection)
        with self._turns.taken((entry.sha256, entry.size)) if self._skip_known else nullcontext():
            row = await self._journal.intend(entry, anchor=self._newest)
            try:
                yield noted
            except Exception as error:
                if _surely_not_stored(error):
                    await self._journal.withdraw(row)
                raise
            await self._note(self._journal, row, noted.file_id, entry)

    async def _note(self, journal: Journal, row: int, file_id: str, entry: Entry) -> None:
        """Note what was stored; if the file is not what was hashed any more, not as its content: nobody knows."""
        (stamp,) = await asyncio.to_thread(_stamps, [entry.source])
        await journal.stored(row, file_id, hashed=stamp == (entry.source, entry.size, entry.mtime_ns, entry.changed))
        self._newest = None if self._files.options.provider else file_id


async def _last_id(files: FilesClient) -> str | None:
    """Return the newest file of the workspace: whatever a killed job stored comes after it.

    Once for each new journal. Without it, only clocks could tell an old file from a new one.
    """
    last: str | None = None
    async for file in files.list():
        last = file.id
    return last


def _surely_not_stored(error: Exception) -> bool:
    """Whether an upload that failed left nothing behind. What a callback raised says nothing about that."""
    return isinstance(error, OSError) if not isinstance(error, FilesError) else not error.maybe_processed


def _entry(source: LocalFile, inspection: Inspection) -> Entry:
    return Entry(
        source=source,
        size=inspection.size,
        mtime_ns=inspection.mtime_ns,
        sha256=inspection.sha256,
        changed=inspection.changed,
    )


def _destination(files: FilesClient) -> str:
    options = files.options
    return f"{files.base_url} {options.workspace_id or ''} {options.provider or ''}".rstrip()
