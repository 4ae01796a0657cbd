"""Where the emulator keeps files."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

from attrs import define, field, frozen

from .errors import Refusal
from .ready import Ready

# ---- Where in the store a file lies: in the drawer of a workspace, of its provider, or of a container.

Provider = Literal["openai", "anthropic"]
"""Whose own Files API a call is passed on to."""


def drawer_of(workspace_id: str, provider: Provider | None = None) -> str:
    """The drawer of a workspace's files, or of those that it has at a provider."""
    return workspace_id if provider is None else f"{provider}:{workspace_id}"


def container_drawer(workspace_id: str, container_id: str) -> str:
    """The drawer of a container. Source: OpenRouter guide "Containers": ids are scoped to the workspace."""
    return f"container:{container_id}:{workspace_id}"


def workspace_of(drawer: str) -> str:
    """The workspace to which a drawer belongs."""
    return drawer.rpartition(":")[2]


def is_of(drawer: str, provider: Provider | None) -> bool:
    """Whether a drawer holds the files of workspaces themselves, or, with a provider, those at the provider."""
    return drawer == drawer_of(workspace_of(drawer), provider)


# ---- What the emulator knows about a stored file.

_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FOLDED = bytes(_BASE62[byte % 62] for byte in range(256))


@frozen(kw_only=True)
class StoredFile(Ready["StoredFile"]):
    """A file in the emulator's store, as a test looks at it (not an answer's shape).

    ``id``, ``filename``, ``mime_type`` and ``downloadable`` are as in answers.  ``size_bytes`` counts
    the content, ``sha256`` is its hash in hex, ``created_at`` is aware (UTC) and keeps the fraction of
    the second that answers leave out.  ``purpose`` is only seen in answers of the openai shape,
    ``workspace_id`` in none. Awaited, it is itself.
    """

    id: str
    filename: str
    mime_type: str
    size_bytes: int
    created_at: datetime
    downloadable: bool
    workspace_id: str
    sha256: str
    purpose: str = "user_data"


def new_id(prefix: str) -> str:
    """A file id; the prefix says whose it is.

    Source: OpenRouter OpenAPI document (``or_file_`` since 2026-07-28, ``file_`` before).
    """
    return prefix + os.urandom(24).translate(_FOLDED).decode()


def moment(seconds: float) -> datetime:
    """Unix seconds as an aware UTC time."""
    return datetime.fromtimestamp(seconds, UTC)


# ---- The table of stored files: what SQLite knows. Blocking, and used from one thread only.

# Deleted files stay as rows without content: a cursor that names one still has its place.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, filename TEXT NOT NULL,
    mime_type TEXT NOT NULL, size_bytes INTEGER NOT NULL, created_at REAL NOT NULL,
    downloadable INTEGER NOT NULL, workspace_id TEXT NOT NULL, sha256 TEXT NOT NULL,
    purpose TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS living ON files (workspace_id, seq) WHERE deleted = 0;
CREATE TABLE IF NOT EXISTS contents (seq INTEGER PRIMARY KEY, content BLOB NOT NULL);
"""
NAME = "files.sqlite3"
"""Of the table's file in the folder of a store."""
# What a file of SQLite says of itself, in its header: whose it is ("orfe"), and of which version.
_OURS, _VERSION = int.from_bytes(b"orfe", "big"), 1
_COLUMNS = "id, filename, mime_type, size_bytes, created_at, downloadable, workspace_id, sha256, purpose"
_ADD = f"INSERT INTO files ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - fixed names
_CONTENT = "SELECT content FROM contents WHERE seq = (SELECT seq FROM files WHERE id = ?)"
_EMPTY = "DELETE FROM contents WHERE seq = (SELECT seq FROM files WHERE id = ?)"
_GET = f"SELECT {_COLUMNS} FROM files WHERE id = ? AND deleted = 0"  # noqa: S608 - fixed names
_ALL = f"SELECT {_COLUMNS} FROM files WHERE deleted = 0 ORDER BY seq"  # noqa: S608 - fixed names
_PAGE = f"""SELECT {_COLUMNS} FROM files
WHERE workspace_id = ? AND deleted = 0 AND seq > ? ORDER BY seq LIMIT ?"""  # noqa: S608 - fixed names
_PAGE_BACK = f"""SELECT {_COLUMNS} FROM files
WHERE workspace_id = ? AND deleted = 0 AND seq < ? ORDER BY seq DESC LIMIT ?"""  # noqa: S608 - fixed names
_NAMED = f"""SELECT {_COLUMNS} FROM files
WHERE workspace_id = ? AND deleted = 0 AND filename = ? ORDER BY seq DESC LIMIT 1"""  # noqa: S608 - fixed names
_END = (1 << 63) - 1


_Row = tuple[str, str, str, int, float, int, str, str, str]


@define
class Index:
    """The metadata of all workspaces, and the contents small enough to live beside it."""

    _connection: sqlite3.Connection
    _used: dict[str, int] = field(factory=dict[str, int])

    @classmethod
    def opened(cls, path: Path, *, lasting: bool) -> Index:
        """Open or create the table; ``lasting`` says whether it has to survive a crash.

        Raises:
            sqlite3.OperationalError: another emulator has the same folder open.
        """
        connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
        try:
            return cls(_prepared(connection, lasting=lasting), _usage(connection))
        except sqlite3.Error:
            connection.close()
            raise

    def used(self, workspace_id: str) -> int:
        """Bytes that the living files of a workspace take."""
        return self._used.get(workspace_id, 0)

    def workspaces(self) -> tuple[str, ...]:
        """Every workspace that holds a file."""
        return tuple(self._used)

    def add(self, file: StoredFile, content: bytes | None) -> None:
        """Append a file; ``content`` None means that its bytes are a blob on disk."""
        with self._connection as connection:
            connection.execute("BEGIN")
            seq = connection.execute(_ADD, _row(file)).lastrowid
            if content is not None:
                connection.execute("INSERT INTO contents VALUES (?, ?)", (seq, content))
        self._used[file.workspace_id] = self.used(file.workspace_id) + file.size_bytes

    def get(self, file_id: str, workspace_id: str | None = None) -> StoredFile | None:
        """The living file of that id, in that workspace (None: in any)."""
        row = self._connection.execute(_GET, (file_id,)).fetchone()
        file = None if row is None else _file(row)
        return file if file is not None and workspace_id in {None, file.workspace_id} else None

    def content(self, file_id: str) -> bytes | None:
        """The bytes kept in the table, None if they are a blob on disk."""
        row = self._connection.execute(_CONTENT, (file_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def place(self, file_id: str, workspace_id: str) -> int | None:
        """Where an id stands in the order of creation, deleted ones included."""
        where = "SELECT seq FROM files WHERE id = ? AND workspace_id = ?"
        row = self._connection.execute(where, (file_id, workspace_id)).fetchone()
        return None if row is None else int(row[0])

    def page(self, workspace_id: str, after: int, limit: int) -> tuple[StoredFile, ...]:
        """At most ``limit`` living files that were made after a place, in the order of creation."""
        rows: Iterable[_Row] = self._connection.execute(_PAGE, (workspace_id, after, limit))
        return tuple(map(_file, rows))

    def page_back(self, workspace_id: str, before: int | None, limit: int) -> tuple[StoredFile, ...]:
        """At most ``limit`` living files that were made before a place (None: the end), the newest first."""
        rows: Iterable[_Row] = self._connection.execute(_PAGE_BACK, (workspace_id, before or _END, limit))
        return tuple(map(_file, rows))

    def of(self, workspace_id: str) -> tuple[StoredFile, ...]:
        """Every living file of a workspace, in the order of creation."""
        return self.page(workspace_id, 0, _END)

    def named(self, workspace_id: str, filename: str) -> StoredFile | None:
        """The newest living file of that name."""
        row = self._connection.execute(_NAMED, (workspace_id, filename)).fetchone()
        return None if row is None else _file(row)

    def all(self) -> tuple[StoredFile, ...]:
        """Every living file of every workspace, in the order of creation."""
        rows: Iterable[_Row] = self._connection.execute(_ALL)
        return tuple(map(_file, rows))

    def remove(self, file: StoredFile) -> None:
        """Forget a file; its bytes go back to the quota, its place in the order stays."""
        with self._connection as connection:
            connection.execute("BEGIN")
            connection.execute("UPDATE files SET deleted = 1 WHERE id = ?", (file.id,))
            connection.execute(_EMPTY, (file.id,))
        self._used[file.workspace_id] -= file.size_bytes

    def close(self) -> None:
        """Let go of the database file."""
        self._connection.close()


def check_folder(folder: Path) -> None:
    """Make sure that a folder is empty or one of ours. Only looks: what is somebody else's is not touched.

    Raises:
        OSError: it is neither, or of a newer version.

    Source: "SQLite Database File Format", 1.3, the header.
    """
    names = {path.name for path in folder.iterdir()}
    if not names:
        return
    table = folder / NAME
    with table.open("rb") if table.is_file() else io.BytesIO() as file:
        header = file.read(100)
    owner, version = int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big")
    unmarked = header.startswith(b"SQLite format 3") and owner == 0 and {"blobs", "incoming"} <= names  # the first ones
    just_begun = not header and names <= {NAME, f"{NAME}-journal"} and NAME in names
    if owner == _OURS and version > _VERSION:
        raise OSError(errno.EINVAL, "a store of a newer version: update openrouter-files", str(folder))
    if not (owner == _OURS or unmarked or just_begun):
        raise OSError(errno.ENOTEMPTY, "not empty, and no store of the emulator: choose an empty folder", str(folder))


def _prepared(connection: sqlite3.Connection, *, lasting: bool) -> sqlite3.Connection:
    # One emulator per folder: the quota is counted here, and exclusive locking is faster too.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    if connection.execute("PRAGMA application_id").fetchone() != (_OURS,):  # in the file, before WAL writes beside it
        connection.execute(f"PRAGMA application_id = {_OURS}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute(f"PRAGMA journal_mode = {'WAL' if lasting else 'MEMORY'}")
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if lasting else 'OFF'}")
    connection.executescript(_SCHEMA)
    return connection


def _usage(connection: sqlite3.Connection) -> dict[str, int]:
    totals = "SELECT workspace_id, SUM(size_bytes) FROM files WHERE deleted = 0 GROUP BY workspace_id"
    return dict(connection.execute(totals).fetchall())


def _row(file: StoredFile) -> _Row:
    return (
        file.id, file.filename, file.mime_type, file.size_bytes, file.created_at.timestamp(),
        file.downloadable, file.workspace_id, file.sha256, file.purpose,
    )  # fmt: skip


def _file(row: _Row) -> StoredFile:
    file_id, filename, mime_type, size_bytes, created_at, downloadable, workspace_id, sha256, purpose = row
    return StoredFile(
        id=file_id,
        filename=filename,
        mime_type=mime_type,
        size_bytes=size_bytes,
        created_at=moment(created_at),
        downloadable=bool(downloadable),
        workspace_id=workspace_id,
        sha256=sha256,
        purpose=purpose,
    )


# ---- The files of all workspaces, in a folder: a table beside blobs, worked on by threads.

PIECE = 512 * 1024
"""Bytes per visit to the disk; content up to this length lives in the table and costs one visit."""

P = ParamSpec("P")
T = TypeVar("T")


@frozen(kw_only=True)
class Blob:
    """Content that lies on disk: ``size`` bytes of a file, from ``start`` on."""

    path: Path
    start: int = 0
    size: int


@define
class Store:
    """Where files are kept; of one folder for good, or of a temporary one until :meth:`close`."""

    folder: Path
    quota_bytes: int
    lasting: bool
    _index: Index = field(alias="index")
    _table: ThreadPoolExecutor = field(alias="table")
    _disk: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(4, "emulator-disk"))

    @classmethod
    async def opened(cls, folder: str | os.PathLike[str] | None, *, quota_bytes: int) -> Store:
        """Open a folder, made if it is missing; None is a temporary one.

        Raises:
            OSError: it is not empty and no store of an emulator, or that of a newer version.
            sqlite3.OperationalError: another emulator has the folder open.
        """
        table = ThreadPoolExecutor(1, "emulator-table")
        try:
            path, index = await asyncio.get_running_loop().run_in_executor(table, _open, folder)
        except BaseException:
            table.shutdown()
            raise
        return cls(folder=path, quota_bytes=quota_bytes, lasting=folder is not None, index=index, table=table)

    async def close(self) -> None:
        """Finish what the threads are doing, let go of the folder, remove it if it was temporary."""
        await asyncio.to_thread(self._close)

    async def look(self, work: Callable[[Index], T]) -> T:
        """Do something with the table, in the one thread that may touch it."""
        return await asyncio.get_running_loop().run_in_executor(self._table, work, self._index)

    def look_now(self, work: Callable[[Index], T]) -> T:
        """Like :meth:`look`, for callers that cannot wait: blocks the loop for a moment."""
        return self._table.submit(work, self._index).result()

    async def on_disk(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with blobs, in one of a few threads."""
        return await asyncio.wrap_future(self._disk.submit(work, *args, **kwargs))

    def later(self, work: Callable[[], Any]) -> None:
        """Have something done by a disk thread that nobody waits for, but :meth:`close` does."""
        self._disk.submit(work)

    def draft(self) -> Path:
        """A path for content on its way in, of which nobody knows yet."""
        return self.folder / "incoming" / os.urandom(12).hex()

    def blob(self, file: StoredFile) -> Blob:
        """Where the bytes of a file lie that are not in the table."""
        return Blob(path=self.folder / "blobs" / file.id, size=file.size_bytes)

    async def content(self, file: StoredFile) -> bytes | Blob:
        """The bytes of a file, or where they lie if they are many."""
        if file.size_bytes > PIECE:
            return self.blob(file)
        return await self.look(lambda index: index.content(file.id)) or b""

    async def bytes_of(self, file_id: str) -> bytes:
        """All bytes of a file, in memory.

        Raises:
            KeyError: there is none of that id.
        """
        file = await self.look(lambda index: index.get(file_id))
        if file is None:
            raise KeyError(file_id)
        content = await self.content(file)
        return await self.on_disk(content.path.read_bytes) if isinstance(content, Blob) else content

    def settle(self, index: Index, file: StoredFile, content: bytes | Path, *, within_quota: bool = True) -> StoredFile:
        """Add a file to the table; a draft becomes its blob. Blocking, to be passed to :meth:`look`.

        Raises:
            Refusal: 403, the workspace has no room for it.

        Source: OpenRouter guide "Files API": 10 GiB per workspace, then 403.
        """
        if within_quota and index.used(file.workspace_id) + file.size_bytes > self.quota_bytes:
            raise Refusal(403, "Workspace storage quota exceeded")
        if isinstance(content, Path):
            content.rename(self.blob(file).path)
        index.add(file, None if isinstance(content, Path) else content)
        return file

    async def remove(self, file_id: str, workspace_id: str) -> bool:
        """Delete a file; False if the workspace has none of that id."""
        file = await self.look(lambda index: _removed(index, file_id, workspace_id))
        if file is not None and file.size_bytes > PIECE:
            await self.on_disk(self.blob(file).path.unlink)
        return file is not None

    def _close(self) -> None:
        self._disk.shutdown()
        self._table.submit(self._index.close).result()
        self._table.shutdown()
        if not self.lasting:
            shutil.rmtree(self.folder)


def _open(folder: str | os.PathLike[str] | None) -> tuple[Path, Index]:
    path = Path(tempfile.mkdtemp(prefix="openrouter-files-") if folder is None else folder)
    path.mkdir(parents=True, exist_ok=True)
    check_folder(path)
    index = Index.opened(path / NAME, lasting=folder is not None)
    shutil.rmtree(path / "incoming", ignore_errors=True)
    for part in ("incoming", "blobs"):
        (path / part).mkdir(exist_ok=True)
    return path, index


def _removed(index: Index, file_id: str, workspace_id: str) -> StoredFile | None:
    file = index.get(file_id, workspace_id)
    if file is not None:
        index.remove(file)
    return file
