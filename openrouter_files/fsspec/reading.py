"""What the files hold: the half of the file system that downloads."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .content import Content
from .failures import told_to_readers
from .looking import Looking
from .opened import AsyncReadFile, ReadFile
from .untyped import DEFAULT_CALLBACK, Callback, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from openrouter_files import Progress


def telling(callback: Callback) -> Callable[[Progress], None] | None:
    """Return what tells fsspec's callback about progress; None if nobody listens."""

    def tell(progress: Progress) -> None:
        if callback.size != progress.total:
            callback.set_size(progress.total)
        callback.absolute_update(progress.done)

    return None if callback is DEFAULT_CALLBACK else tell


def _make_room(target: str | os.PathLike[str]) -> None:
    """Make the folder around a target that is no folder itself."""
    if Path(target).is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(target))
    Path(target).parent.mkdir(parents=True, exist_ok=True)


class Reading(Looking):
    """Reading. Arguments are described at OpenRouterFileSystem."""

    async def open_async(self, path: str, mode: str = "rb", **_: Any) -> AsyncReadFile:
        """Open a file for reading by coroutines: ``await file.read(n)``, ``await file.close()``.

        Raises:
            NotImplementedError: Another mode; await ``_pipe_file`` or ``_put_file`` to write.
        """
        if mode != "rb":
            raise NotImplementedError(f"open_async reads; await _pipe_file or _put_file instead of mode {mode!r}")
        file = await self._file(path)
        return AsyncReadFile(self, self._strip_protocol(path), file, Content(self._files, file))

    def _open_to_read(self, path: str, **buffering: Any) -> ReadFile:
        buffering.pop("size", None)
        file = sync(self.loop, self._file, path)
        return ReadFile(self, path, file, Content(self._files, file), **buffering)

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        file = await self._file(path)
        if file.size_bytes is None:  # only the whole file tells
            with told_to_readers(path):
                return (await self._files.download(file).read())[start:end]
        first, stop, _step = slice(start, end).indices(file.size_bytes)
        whole = stop - first == file.size_bytes
        with told_to_readers(path):
            if whole:
                return await self._files.download(file).read()
            return await self._files.download(file, start=first, stop=stop).read() if first < stop else b""

    async def _get_file(
        self, rpath: str, lpath: str | os.PathLike[str], callback: Callback = DEFAULT_CALLBACK, **_: Any
    ) -> None:
        if await self._isdir(rpath):
            await asyncio.to_thread(os.makedirs, lpath, exist_ok=True)
            return
        file = await self._file(rpath)
        await asyncio.to_thread(_make_room, lpath)
        with told_to_readers(rpath):
            await self._files.download_to(file, lpath, on_progress=telling(callback))
