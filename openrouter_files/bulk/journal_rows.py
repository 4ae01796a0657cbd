"""The rows of a journal: what is asked of them and what is done to them, one function each. Blocking, for a thread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import JournalError
from .journal_entries import Entry, Intent
from .outcome import LocalFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from ..models import File

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
