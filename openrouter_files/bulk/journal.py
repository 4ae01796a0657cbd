"""The journal of uploads: what was begun and what became of it, in one SQLite file that survives any kill.

An intent is committed before the request, the id after it. So whatever a killed process leaves
behind is one of three: nothing, an intent (perhaps stored: see ``resuming``), or an id.
"""

from __future__ import annotations

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from ..waiting import ended
from . import journal_file, journal_rows
from .group_commit import GroupCommit
from .journal_entries import Entry, Intent
from .journal_lock import Lock
from .journal_rows import Stamp, placed

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Collection, Iterable
    from concurrent.futures import Future
    from types import TracebackType

    from ..models import File
    from .outcome import LocalFile

__all__ = ["Entry", "Intent", "Journal", "Stamp", "placed"]

T = TypeVar("T")
_Opened: TypeAlias = "tuple[sqlite3.Connection, Lock, float | None]"


class Journal:
    """One file, one process, one event loop. ``async with await Journal.open(...) as journal``.

    Attributes:
        begun: None if nothing is missing. Else when the journal was begun, in Unix seconds: the last job with it did
            not close it, and what that wrote last may be gone, because somebody took the ``-wal`` file away. So it
            stays until ``unrecorded`` is told what there is, however many jobs end before that.

    Every method that writes has committed when it returns. If it is cancelled, it may have, and
    if the disk fails it raises JournalError.
    """

    def __init__(self, connection: sqlite3.Connection, lock: Lock, thread: ThreadPoolExecutor, name: str) -> None:
        self._commits = GroupCommit(connection, thread, name)
        self._connection = connection
        self._lock = lock
        self._thread = thread
        self._open = True
        self.begun: float | None = None

    @classmethod
    async def open(cls, path: str | os.PathLike[str], *, destination: str) -> Self:
        """Open a journal, or begin one where there is nothing or an empty file.

        Args:
            path: Of the file; ``-wal``, ``-shm`` and ``.lock`` files live beside it.
            destination: Where the uploads go. A journal belongs to one.

        Raises:
            JournalError: Another process has it, it is no journal, it is damaged, of another
                version, or about another destination. Nothing was changed.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="openrouter_files_journal")
        opening = thread.submit(_opened, path, destination)
        try:
            await ended(asyncio.wrap_future(opening))
            connection, lock, begun = opening.result()
        except BaseException:
            await _carried_out(thread, partial(_undo, opening))
            raise
        journal = cls(connection, lock, thread, str(path))
        journal.begun = begun
        return journal

    async def close(self) -> None:
        """Commit what is under way, and let others have the journal. A second time does nothing."""
        if not self._open:
            return
        self._open = False
        try:
            await self._commits.end()
        finally:
            whole = self.begun is None
            await _carried_out(self._thread, partial(_let_go, self._connection, self._lock, whole=whole))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def done(self, source: LocalFile, *, size: int, mtime_ns: int, changed: str = "") -> str | None:
        """Return the id if this very file (path, name, size, times, inode) is stored; no hash is needed."""
        return (await self.done_many([(source, size, mtime_ns, changed)]))[0]

    async def done_many(self, stamps: Iterable[Stamp]) -> list[str | None]:
        """Return what ``done`` says of each, in the same order; far cheaper than one by one."""
        return await self._do(partial(journal_rows.done, [*stamps]))

    async def refreshed(self, entry: Entry) -> str | None:
        """Return the id if this path and name is stored with this content, and remember its new time."""
        return await self._do(partial(journal_rows.refreshed, entry))

    async def known(self, sha256: bytes, size: int) -> str | None:
        """Return the id of this content if it is stored under any name."""
        return await self._do(partial(journal_rows.known, sha256, size))

    async def adopt(self, entry: Entry, file_id: str) -> None:
        """Remember that a file need not be sent, as its content is stored already: next time it is ``done``."""
        await self._do(partial(journal_rows.adopt, entry, file_id, time.time()))

    async def unrecorded(self, files: Iterable[File], *, since: float) -> None:
        """Keep what was stored since a moment (Unix seconds) and is not in the journal: it may be what it has lost."""
        await self._do(partial(journal_rows.unrecorded, [*files], since))
        self.begun = None

    async def has_unrecorded(self) -> bool:
        """Return whether ``recovered`` may find something."""
        return await self._do(journal_rows.has_unrecorded)

    async def recovered(self, entry: Entry, *, oldest: float) -> str | None:
        """Adopt a file that ``unrecorded`` kept, if one fits and was made at ``oldest`` or later; return its id."""
        return await self._do(partial(journal_rows.recovered, entry, oldest, time.time()))

    async def intend(self, entry: Entry, *, anchor: str | None) -> int:
        """Note that an upload begins, and return the number of the intent.

        Args:
            entry: What will be sent.
            anchor: A file that is surely stored already, the newer the better: ``newest_id()``.
        """
        return await self._do(partial(journal_rows.intend, entry, anchor, time.time()))

    async def stored(self, row: int, file_id: str, *, hashed: bool = True) -> None:
        """Note what an intent became; JournalError if there is no such intent.

        Args:
            row: The number of the intent.
            file_id: Its file.
            hashed: Whether that has the content that was hashed, so that it may count as done and known.
        """
        await self._do(partial(journal_rows.stored, row, file_id, hashed))

    async def withdraw(self, row: int) -> None:
        """Take back an intent that was surely not stored."""
        await self._do(partial(journal_rows.withdraw, row))

    async def intents(self) -> tuple[Intent, ...]:
        """Return the intents without an id, oldest first. Their paths are absolute: see ``placed``."""
        return await self._do(journal_rows.intents)

    async def newest_id(self) -> str | None:
        """Return the id that was stored last: where a listing may start from."""
        return await self._do(journal_rows.newest_id)

    async def owned(self, ids: Collection[str]) -> frozenset[str]:
        """Return those of the ids that belong to files of this journal."""
        return await self._do(partial(journal_rows.owned, ids))

    async def forget(self, file_id: str) -> None:
        """Forget a file that the server does not know any more."""
        await self._do(partial(journal_rows.forget, file_id))

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if not self._open:
            raise ValueError("the journal is closed")
        return await self._commits.do(work)


def _opened(path: str | os.PathLike[str], destination: str) -> _Opened:
    place = journal_file.place(path)
    journal_file.check(place)  # before the lock: beside a foreign file, nothing is left
    lock = Lock.of(place)
    try:
        journal_file.check(place)  # again: the last one to have it may have made it
        connection = journal_file.connect(place, destination)
        return connection, lock, journal_file.left_open(connection, place)
    except BaseException:
        lock.release()
        raise


def _undo(opening: Future[_Opened]) -> None:
    if opening.exception() is None:
        connection, lock, begun = opening.result()
        _let_go(connection, lock, whole=begun is None)


def _let_go(connection: sqlite3.Connection, lock: Lock, *, whole: bool) -> None:
    try:
        journal_file.close(connection, whole=whole)
    finally:
        lock.release()


async def _carried_out(thread: ThreadPoolExecutor, last: Callable[[], None]) -> None:
    """Have a thread do one thing more, its last, and wait for that unless there is no loop any more to wait on."""
    done = thread.submit(last)
    thread.shutdown(wait=False)
    if not isinstance(sys.exception(), GeneratorExit):
        await ended(asyncio.wrap_future(done))
        done.result()
