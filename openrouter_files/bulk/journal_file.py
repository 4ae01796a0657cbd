"""The file of a journal: told from anything else, made when there is none, opened. Blocking, for a thread."""

from __future__ import annotations

import os
import sqlite3
import stat
import struct
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .outcome import LocalFile

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
    own = {place(journal) + end for end in ("", "-wal", "-shm", "-journal", ".lock")}
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


def place(path: str | os.PathLike[str]) -> str:
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
