"""The journal of a bulk upload: one SQLite file."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import stat
import struct
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar
from weakref import WeakSet

from attrs import frozen

from ..errors import JournalError
from ..local.threads import ended
from ..models import File
from .outcomes import LocalFile

# ---- What a journal holds, as values.


@frozen(kw_only=True)
class Entry:
    """What is about to be sent.

    Attributes:
        source: Where it is, and its name in the workspace.
        size: Bytes.
        mtime_ns: When it was written, as its disk says.
        sha256: Of its bytes; 32 of them.
        changed: ctime and inode: two files of one size and time differ in them.
    """

    source: LocalFile
    size: int
    mtime_ns: int
    sha256: bytes
    changed: str = ""


@frozen(kw_only=True)
class Intent:
    """An upload that was begun, and of which nobody noted the end.

    Attributes:
        row: Its number in the journal; a later intent has a higher one.
        entry: What was sent, if anything was. Its path is absolute.
        anchor: A file that existed before; None if none was known.
        intended_at: Unix seconds on the clock of the machine that sent it.
    """

    row: int
    entry: Entry
    anchor: str | None
    intended_at: float


# ---- The rows of a journal: what is asked of them and what is done to them, one function each. Blocking, for a thread.

Stamp: TypeAlias = tuple[LocalFile, int, int, str]
"""A local file, its size, its mtime_ns, and what else tells that it was changed: see Entry."""

_DONE = """SELECT file_id FROM upload WHERE path = ? AND filename = ? AND size = ? AND mtime_ns = ?
    AND changed = ? AND sha256 <> x'' AND file_id IS NOT NULL ORDER BY number DESC LIMIT 1"""
_SAME = """SELECT number, file_id FROM upload WHERE path = ? AND filename = ? AND size = ? AND sha256 = ?
    AND file_id IS NOT NULL ORDER BY number DESC LIMIT 1"""
_KNOWN = """SELECT file_id FROM upload WHERE sha256 = ? AND size = ? AND file_id IS NOT NULL
    ORDER BY number DESC LIMIT 1"""
_INTEND = """INSERT INTO upload (path, filename, size, mtime_ns, sha256, changed, anchor, intended_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_ADOPT = """INSERT INTO upload (path, filename, size, mtime_ns, sha256, changed, intended_at, file_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_STORED = """UPDATE upload SET file_id = ?, ordinal = (SELECT coalesce(max(ordinal), 0) + 1 FROM upload
    WHERE ordinal IS NOT NULL) WHERE number = ? AND file_id IS NULL"""
_UNHASH = "UPDATE upload SET sha256 = x'' WHERE number = ?"
_INTENTS = """SELECT number, path, filename, size, mtime_ns, sha256, changed, anchor, intended_at FROM upload
    WHERE file_id IS NULL ORDER BY number"""
_RECOVERED = """SELECT file_id FROM unrecorded WHERE filename = ? AND size = ? AND created_at >= ?
    ORDER BY created_at LIMIT 1"""
_NEWEST = "SELECT file_id FROM upload WHERE ordinal IS NOT NULL ORDER BY ordinal DESC LIMIT 1"


def done(stamps: Iterable[Stamp], connection: sqlite3.Connection) -> list[str | None]:
    """Return the ids of those that are stored as they are now, in the same order."""
    return [_first(connection, _DONE, (*_key(source), size, time, changed)) for source, size, time, changed in stamps]


def refreshed(entry: Entry, connection: sqlite3.Connection) -> str | None:
    """Give the stored row of the same file and content its new time, and return its id."""
    found = connection.execute(_SAME, (*_key(entry.source), entry.size, entry.sha256)).fetchone()
    if found is None:
        return None
    seen = (entry.mtime_ns, entry.changed, found[0])
    connection.execute("UPDATE upload SET mtime_ns = ?, changed = ? WHERE number = ?", seen)
    return str(found[1])


def known(sha256: bytes, size: int, connection: sqlite3.Connection) -> str | None:
    """Return the id of this content, whatever its name."""
    return _first(connection, _KNOWN, (sha256, size))


def intend(entry: Entry, anchor: str | None, now: float, connection: sqlite3.Connection) -> int:
    """Add a row without an id, and return its number."""
    number = connection.execute(_INTEND, (*_columns(entry), anchor, now)).lastrowid
    assert number is not None  # noqa: S101 - an INSERT that did not raise has inserted
    return number


def adopt(entry: Entry, file_id: str, now: float, connection: sqlite3.Connection) -> None:
    """Add a row with an id that was not made for it, unless there is one; the id is no newer than it was."""
    if done([(entry.source, entry.size, entry.mtime_ns, entry.changed)], connection) == [file_id]:
        return
    connection.execute(_ADOPT, (*_columns(entry), now, file_id))


def unrecorded(files: Iterable[File], begun: float, connection: sqlite3.Connection) -> None:
    """Keep those of some files that no row has, and that may have come since a journal was begun."""
    for file in files:
        if file.created_at is None or file.size_bytes is None or file.created_at.timestamp() < begun:
            continue
        if not owned([file.id], connection):
            row = (file.id, _kept(file.filename), file.size_bytes, file.created_at.timestamp())
            connection.execute("INSERT OR IGNORE INTO unrecorded VALUES (?, ?, ?, ?)", row)


def has_unrecorded(connection: sqlite3.Connection) -> bool:
    """Return whether files are kept that may be what the journal has lost."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM unrecorded)").fetchone()[0])


def recovered(entry: Entry, oldest: float, now: float, connection: sqlite3.Connection) -> str | None:
    """Adopt the oldest kept file that has an entry's name and size and is not older than that, and return its id."""
    found = _first(connection, _RECOVERED, (_kept(entry.source.filename), entry.size, oldest))
    if found is not None:
        adopt(entry, found, now, connection)
        connection.execute("DELETE FROM unrecorded WHERE file_id = ?", (found,))
    return found


def stored(number: int, file_id: str, hashed: bool, connection: sqlite3.Connection) -> None:
    """Give an intent its id; JournalError if there is no such intent. Without its hash it is owned, but never done."""
    if connection.execute(_STORED, (file_id, number)).rowcount == 0:
        raise JournalError(f"the journal has no intent {number} that {file_id} could belong to")
    if not hashed:
        connection.execute(_UNHASH, (number,))


def withdraw(number: int, connection: sqlite3.Connection) -> None:
    """Take back an intent; what has an id stays."""
    connection.execute("DELETE FROM upload WHERE number = ? AND file_id IS NULL", (number,))


def intents(connection: sqlite3.Connection) -> tuple[Intent, ...]:
    """Return the rows without an id, oldest first."""
    return tuple(_intent(row) for row in connection.execute(_INTENTS))


def newest_id(connection: sqlite3.Connection) -> str | None:
    """Return the id that came last."""
    return _first(connection, _NEWEST, ())


def owned(ids: Collection[str], connection: sqlite3.Connection) -> frozenset[str]:
    """Return those of the ids that some row has."""
    query = "SELECT file_id FROM upload WHERE file_id = ? LIMIT 1"
    return frozenset(i for i in ids if _first(connection, query, (i,)) is not None)


def forget(file_id: str, connection: sqlite3.Connection) -> None:
    """Delete all rows of an id."""
    connection.execute("DELETE FROM upload WHERE file_id = ?", (file_id,))


def placed(source: LocalFile) -> LocalFile:
    """Return the same file with an absolute path: a journal is used from more than one folder."""
    return LocalFile(os.path.abspath(source.path), source.filename)  # noqa: PTH100 - a path is text here


def _first(connection: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> str | None:
    row: tuple[str] | None = connection.execute(query, values).fetchone()
    return None if row is None else row[0]


def _columns(entry: Entry) -> tuple[Any, ...]:
    return (*_key(entry.source), entry.size, entry.mtime_ns, entry.sha256, entry.changed)


def _key(source: LocalFile) -> tuple[str | bytes, str | bytes]:
    there = placed(source)
    return _kept(there.path), _kept(there.filename)


def _kept(text: str) -> str | bytes:
    # Names on a disk need not be Unicode; what SQLite cannot take as text is kept as bytes.
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def _given(kept: str | bytes) -> str:
    return kept if isinstance(kept, str) else kept.decode("utf-8", "surrogatepass")


def _intent(row: tuple[Any, ...]) -> Intent:
    number, path, filename, size, mtime_ns, sha256, changed, anchor, intended_at = row
    texts_are, numbers_are = isinstance(path, str | bytes) and isinstance(filename, str | bytes), isinstance(size, int)
    if not (texts_are and numbers_are and isinstance(mtime_ns, int) and isinstance(intended_at, float)):
        raise JournalError(f"the journal is damaged: its row {number} makes no sense; delete it, or bring back a copy")
    source = LocalFile(_given(path), _given(filename))
    entry = Entry(source=source, size=size, mtime_ns=mtime_ns, sha256=sha256, changed=changed)
    return Intent(row=number, entry=entry, anchor=anchor, intended_at=intended_at)


# ---- One process at a time: a lock file beside the journal that says who has it.

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    # A locked byte cannot be read on Windows, so it lies far behind the text.
    _FAR = 1 << 30

    def _seize(fd: int) -> None:
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)
else:
    import fcntl

    def _seize(fd: int) -> None:
        # flock, not lockf: it also keeps two journals of one process apart.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


_held: WeakSet[Lock] = WeakSet()


class Lock:
    """Held until it is released or the process ends, however it ends.

    The file stays: to delete it would let two processes lock two files of one name.
    """

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd
        _held.add(self)

    @classmethod
    def of(cls, journal: str) -> Lock:
        """Take the lock of a journal; JournalError if somebody has it."""
        path = f"{journal}.lock"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise _unlockable(journal, error) from error
        try:
            _take(fd, journal)
        except BaseException:
            os.close(fd)
            raise
        return cls(fd)

    def release(self) -> None:
        """Let others have the journal."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            self.drop()

    def __del__(self) -> None:
        """Let others have the journal of a job whose loop was closed under it."""
        self.drop()

    def drop(self) -> None:
        """Close this process's end of it: after a fork, the parent's lock stays what it is."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _take(fd: int, journal: str) -> None:
    try:
        _seize(fd)
    except (BlockingIOError, PermissionError) as error:
        raise JournalError(f"the journal {journal} is in use by {_holder(fd)}") from error
    except OSError as error:
        raise _unlockable(journal, error) from error
    try:
        os.ftruncate(fd, 0)
        os.write(fd, _signature().encode())
    except OSError as error:  # a full disk
        raise _unlockable(journal, error) from error


def _unlockable(journal: str, error: OSError) -> JournalError:
    return JournalError(f"the journal {journal} cannot be locked: {error.strerror}")


def _holder(fd: int) -> str:
    return os.read(fd, 1000).decode("utf-8", "replace").strip() or "another process"


def _signature() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC).isoformat(' ', 'seconds')}\n"


def _drop_all() -> None:
    # A child that outlives its parent would keep the journal locked, without ever using it.
    for lock in _held:
        lock.drop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_all)


# ---- The file of a journal: told from anything else, made when there is none, opened. Blocking, for a thread.

_MAGIC = b"SQLite format 3\0"
_APPLICATION = int.from_bytes(b"ORFJ")
_VERSION = 2
# Offsets of user_version and application_id. Source: sqlite.org/fileformat2.html, section 1.3.
_IDENTITY = struct.Struct(">60xi4xi")

# A row is an intent while it has no file_id. `ordinal` counts the ids in the order in which they came.
# Only indexes of rows that have an id: an intent is a row that hardly exists.
_SCHEMA = f"""
BEGIN;
CREATE TABLE about (destination TEXT NOT NULL, path, begun REAL NOT NULL, is_closed INTEGER NOT NULL);
CREATE TABLE upload (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    path NOT NULL,
    filename NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    changed TEXT NOT NULL,
    anchor TEXT,
    intended_at REAL NOT NULL,
    file_id TEXT,
    ordinal INTEGER
);
CREATE TABLE unrecorded (
    file_id TEXT PRIMARY KEY,
    filename NOT NULL,
    size INTEGER NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX by_name ON unrecorded (filename);
CREATE INDEX by_path ON upload (path) WHERE file_id IS NOT NULL;
CREATE INDEX by_sha256 ON upload (sha256) WHERE file_id IS NOT NULL;
CREATE INDEX by_file_id ON upload (file_id) WHERE file_id IS NOT NULL;
CREATE INDEX by_ordinal ON upload (ordinal) WHERE ordinal IS NOT NULL;
CREATE INDEX intents ON upload (number) WHERE file_id IS NULL;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""


def check(path: str) -> None:
    """Let a journal pass, and a place for a new one: nothing, or an empty file. Nothing is written.

    Raises:
        JournalError: It is something else, what is left of a journal, or of another version.
    """
    head = _head(path)
    if not head:
        _check_nothing_is_left(path)
        return
    version, application = _IDENTITY.unpack_from(head.ljust(_IDENTITY.size, b"\0"))
    if not head.startswith(_MAGIC) or application != _APPLICATION:
        raise JournalError(f"{path} is not a journal; it was left as it is")
    if version != _VERSION:
        raise JournalError(f"the journal {path} has version {version}, but only version {_VERSION} can be read")


def _check_nothing_is_left(path: str) -> None:
    """A journal that was cut to nothing, or taken away, leaves what a killed process had written last."""
    rest = Path(f"{path}-wal")
    try:
        is_left = rest.is_file() and rest.stat().st_size > 0
    except OSError as error:  # a name that only a journal without companions could have
        raise JournalError(f"the journal {path} cannot be made: {error}") from error
    if is_left:
        raise JournalError(
            f"the journal {path} is empty or gone, but {rest} is a part of it: bring it back, or delete that, too"
        )


def _head(path: str) -> bytes:
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise JournalError(f"{path} is not a file, so it cannot be a journal")
        with Path(path).open("rb") as file:
            return file.read(_IDENTITY.size)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise JournalError(f"{path} cannot be read as a journal: {error}") from error


def connect(path: str, destination: str) -> sqlite3.Connection:
    """Open a journal, or make it.

    Raises:
        JournalError: It is damaged, it cannot be written, or it is about another destination.
    """
    try:
        # Without isolation_level the transactions are ours.
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be opened: {error}") from error
    try:
        _prepare(connection, path, destination)
    except (sqlite3.Error, ValueError, TypeError) as error:  # SQLite quotes what is damaged, whatever its bytes are
        connection.close()
        raise JournalError(f"the journal {path} is damaged or cannot be written: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: str, destination: str) -> None:
    if _value(connection, "PRAGMA user_version") == 0:
        # Whole or not at all, and before WAL: so the first page of the file always says what it is.
        connection.executescript(_SCHEMA)
        about = (destination, os.fsencode(path), time.time())
        connection.execute("INSERT INTO about VALUES (?, ?, ?, 1)", about)
        connection.execute("COMMIT")
    if (finding := _value(connection, "PRAGMA quick_check(1)")) != "ok":
        raise JournalError(f"the journal {path} is damaged: {' '.join(str(finding).split())}")
    if (found := _value(connection, "SELECT destination FROM about")) != destination:
        raise JournalError(f"the journal {path} is about uploads to {found}, not to {destination}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def left_open(connection: sqlite3.Connection, path: str) -> float | None:
    """Note that a journal is open, and return when it was begun if the last job with it did not close it; else None.

    The note goes into the file itself, at once: it must be there if all that was written later is lost.
    """
    try:
        is_closed, begun = connection.execute("SELECT is_closed, begun FROM about").fetchone()
        began = None if is_closed else float(begun)
        connection.execute("UPDATE about SET is_closed = 0, path = ?", (os.fsencode(path),))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except (sqlite3.Error, ValueError, TypeError) as error:  # SQLite quotes what is damaged, whatever its bytes are
        connection.close()
        raise JournalError(f"the journal {path} is damaged or cannot be written: {error}") from error
    return began


def close(connection: sqlite3.Connection, *, whole: bool) -> None:
    """Close a journal, and note that nothing is missing in it, if so; a disk that is full does without the note."""
    try:
        if whole:
            with suppress(sqlite3.Error):
                connection.execute("UPDATE about SET is_closed = 1")
    finally:
        connection.close()


def _value(connection: sqlite3.Connection, query: str) -> object:
    with closing(connection.execute(query)) as cursor:
        row: tuple[object, ...] | None = cursor.fetchone()
    return row and row[0]


def without_journal(journal: str, sources: Sequence[LocalFile]) -> list[LocalFile]:
    """Return the sources that are neither a journal nor one of the files beside it, by whatever name or link."""
    own = {journal_path(journal) + end for end in ("", "-wal", "-shm", "-journal", ".lock")}
    identities = {_identity(path) for path in own} - {None}
    return [source for source in sources if not _is_one_of(source.path, own, identities)]


def _is_one_of(path: str, own: set[str], identities: set[tuple[int, int] | None]) -> bool:
    identity = _identity(path)
    if identity is not None:
        return identity in identities
    return "\0" not in path and os.path.realpath(path) in own  # it may have gone since it was found


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a path is text here
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def journal_path(path: str | os.PathLike[str]) -> str:
    """Return the one name of a journal: two ways to a file must lead to one lock, and to one ``-wal`` file.

    A file with more than one name (a hard link) is opened by the name that it had when it was opened last.
    """
    true: str = os.path.realpath(os.fspath(path))
    try:
        if os.stat(true).st_nlink > 1:  # noqa: PTH116 - a path is text here
            known = _path_within(true)
            return known if os.path.samefile(true, known) else true  # noqa: PTH121
    except (OSError, ValueError, TypeError, sqlite3.Error):  # it is not there, or no journal: to open it says so
        pass
    return true


def _path_within(path: str) -> str:
    with closing(sqlite3.connect(f"{Path(path).as_uri()}?immutable=1", uri=True)) as connection:
        return os.fsdecode(connection.execute("SELECT path FROM about").fetchone()[0])


# ---- One connection, one thread, and one commit for all who waited while the last commit ran.

T = TypeVar("T")


@frozen(kw_only=True)
class _Wish:
    work: Callable[[sqlite3.Connection], Any]
    answer: asyncio.Future[Any]


@frozen(kw_only=True)
class _Granted:
    value: Any = None
    error: Exception | None = None


class GroupCommit:
    """What a connection does, in the order of the wishes; none is answered before it is on the disk.

    Args:
        connection: Made in the thread, and used nowhere else.
        thread: An executor of one thread.
        name: For complaints.
    """

    def __init__(self, connection: sqlite3.Connection, thread: Executor, name: str) -> None:
        self._connection = connection
        self._thread = thread
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Wish] = []
        self._busy = False

    def do(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have something done in the next transaction; it is done even if nobody waits for it any more.

        The future fails with JournalError if the disk did.
        """
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Wish(work=work, answer=answer))
        self._go_on()
        return answer

    async def end(self) -> None:
        """Wait until all is done; a cancelled caller waits, too."""
        last = self.do(lambda _: None)
        await ended(last)
        last.result()

    def _go_on(self) -> None:
        if self._busy or not self._waiting:
            return
        wishes, self._waiting = self._waiting, []
        self._busy = True
        # A bare future, not a task: at the end of a loop all tasks are cancelled, and this must go on.
        running = self._loop.run_in_executor(self._thread, self._grant, [wish.work for wish in wishes])
        running.add_done_callback(lambda done: self._answer(wishes, done))

    def _answer(self, wishes: Sequence[_Wish], done: asyncio.Future[list[_Granted]]) -> None:
        self._busy = False
        self._go_on()  # first: the disk works while the answers are read
        error = done.exception()
        granted = [_Granted(error=self._complaint(error)) for _ in wishes] if error else done.result()
        for wish, one in zip(wishes, granted, strict=True):
            _tell(wish.answer, one)

    def _complaint(self, error: BaseException) -> JournalError:
        complaint = JournalError(f"the journal {self._name} failed: {error}")
        complaint.__cause__ = error
        return complaint

    def _grant(self, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[_Granted]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            granted = [_granted(work, self._connection) for work in works]
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise
        return granted


def _granted(work: Callable[[sqlite3.Connection], Any], connection: sqlite3.Connection) -> _Granted:
    # A wish that makes no sense is its own trouble; when the disk fails, it fails for all.
    try:
        return _Granted(value=work(connection))
    except sqlite3.Error:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the wisher's
        return _Granted(error=error)


def _tell(answer: asyncio.Future[Any], granted: _Granted) -> None:
    if answer.done():
        return
    if granted.error is not None:
        answer.set_exception(granted.error)
    else:
        answer.set_result(granted.value)


# ---- The journal of uploads: what was begun and what became of it, in one SQLite file that survives any kill.
#
# An intent is committed before the request, the id after it. So whatever a killed process leaves
# behind is one of three: nothing, an intent (perhaps stored: see ``resuming``), or an id.

__all__ = ["Entry", "Intent", "Journal", "Stamp", "placed"]

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
        return await self._do(partial(done, [*stamps]))

    async def refreshed(self, entry: Entry) -> str | None:
        """Return the id if this path and name is stored with this content, and remember its new time."""
        return await self._do(partial(refreshed, entry))

    async def known(self, sha256: bytes, size: int) -> str | None:
        """Return the id of this content if it is stored under any name."""
        return await self._do(partial(known, sha256, size))

    async def adopt(self, entry: Entry, file_id: str) -> None:
        """Remember that a file need not be sent, as its content is stored already: next time it is ``done``."""
        await self._do(partial(adopt, entry, file_id, time.time()))

    async def unrecorded(self, files: Iterable[File], *, since: float) -> None:
        """Keep what was stored since a moment (Unix seconds) and is not in the journal: it may be what it has lost."""
        await self._do(partial(unrecorded, [*files], since))
        self.begun = None

    async def has_unrecorded(self) -> bool:
        """Return whether ``recovered`` may find something."""
        return await self._do(has_unrecorded)

    async def recovered(self, entry: Entry, *, oldest: float) -> str | None:
        """Adopt a file that ``unrecorded`` kept, if one fits and was made at ``oldest`` or later; return its id."""
        return await self._do(partial(recovered, entry, oldest, time.time()))

    async def intend(self, entry: Entry, *, anchor: str | None) -> int:
        """Note that an upload begins, and return the number of the intent.

        Args:
            entry: What will be sent.
            anchor: A file that is surely stored already, the newer the better: ``newest_id()``.
        """
        return await self._do(partial(intend, entry, anchor, time.time()))

    async def stored(self, row: int, file_id: str, *, hashed: bool = True) -> None:
        """Note what an intent became; JournalError if there is no such intent.

        Args:
            row: The number of the intent.
            file_id: Its file.
            hashed: Whether that has the content that was hashed, so that it may count as done and known.
        """
        await self._do(partial(stored, row, file_id, hashed))

    async def withdraw(self, row: int) -> None:
        """Take back an intent that was surely not stored."""
        await self._do(partial(withdraw, row))

    async def intents(self) -> tuple[Intent, ...]:
        """Return the intents without an id, oldest first. Their paths are absolute: see ``placed``."""
        return await self._do(intents)

    async def newest_id(self) -> str | None:
        """Return the id that was stored last: where a listing may start from."""
        return await self._do(newest_id)

    async def owned(self, ids: Collection[str]) -> frozenset[str]:
        """Return those of the ids that belong to files of this journal."""
        return await self._do(partial(owned, ids))

    async def forget(self, file_id: str) -> None:
        """Forget a file that the server does not know any more."""
        await self._do(partial(forget, file_id))

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if not self._open:
            raise ValueError("the journal is closed")
        return await self._commits.do(work)


def _opened(path: str | os.PathLike[str], destination: str) -> _Opened:
    place = journal_path(path)
    check(place)  # before the lock: beside a foreign file, nothing is left
    lock = Lock.of(place)
    try:
        check(place)  # again: the last one to have it may have made it
        connection = connect(place, destination)
        return connection, lock, left_open(connection, place)
    except BaseException:
        lock.release()
        raise


def _undo(opening: Future[_Opened]) -> None:
    if opening.exception() is None:
        connection, lock, begun = opening.result()
        _let_go(connection, lock, whole=begun is None)


def _let_go(connection: sqlite3.Connection, lock: Lock, *, whole: bool) -> None:
    try:
        close(connection, whole=whole)
    finally:
        lock.release()


async def _carried_out(thread: ThreadPoolExecutor, last: Callable[[], None]) -> None:
    """Have a thread do one thing more, its last, and wait for that unless there is no loop any more to wait on."""
    done = thread.submit(last)
    thread.shutdown(wait=False)
    if not isinstance(sys.exception(), GeneratorExit):
        await ended(asyncio.wrap_future(done))
        done.result()
