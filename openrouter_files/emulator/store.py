"""The files of all workspaces, in a folder: a table beside blobs, worked on by threads."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from attrs import define, field, frozen

from openrouter_files.emulator.index import NAME, Index, check_folder
from openrouter_files.emulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from openrouter_files.emulator.stored import StoredFile

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
