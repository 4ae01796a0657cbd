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
from .untyped import DEFAULT_CALLBACK, Callback, has_magic, make_path_posix, other_paths, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


def _check_inside(root: str, targets: Iterable[str]) -> None:
    """Refuse targets that lead out of the folder that they were joined to: fsspec joins names as they are."""
    links: dict[str, bool] = {}
    for target in targets:
        *folders, _ = rest = target[len(root) :].strip("/").split("/")
        if ".." in "/".join(rest).replace("\\", "/").split("/"):  # which Windows takes for a slash
            raise ValueError(f"{'/'.join(rest)!r} leads out of its folder")
        path = root.rstrip("/")
        for folder in filter(None, folders):
            path = f"{path}/{folder}"
            if path not in links:
                links[path] = os.path.islink(path)  # noqa: PTH114  # paths are text here
            if links[path]:
                raise NotADirectoryError(errno.ENOTDIR, "a link, not a folder", path)


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

    async def _get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Save files and folders as fsspec does, but nothing outside of the target, whatever the files are called.

        Raises:
            ValueError: The name of a file leads out of the target.
            NotADirectoryError: A link stands where a folder should be: it may lead anywhere.
        """
        if isinstance(lpath, str | os.PathLike):
            rpath, lpath = await self._targets(rpath, os.fspath(lpath), recursive=recursive, maxdepth=maxdepth)
        return await super()._get(rpath, lpath, recursive, callback, maxdepth, **kwargs)

    async def _targets(
        self, rpath: Any, lpath: str, *, recursive: bool, maxdepth: int | None
    ) -> tuple[list[str], list[str]]:
        """Return which paths are saved, and where to: fsspec's rules, with each target proven to lie inside."""
        one = isinstance(rpath, str)
        whole_folder = one and rpath.endswith("/")  # which stripping hides
        rpath = self._strip_protocol(rpath)
        paths = await self._expand_path(rpath, recursive=recursive, maxdepth=maxdepth)
        if one and (not recursive or maxdepth is not None):
            paths = [path for path in paths if not await self._isdir(path)]
        if not paths:
            return [], []
        lpath = make_path_posix(lpath)
        into_folder = lpath.endswith("/") or await asyncio.to_thread(os.path.isdir, lpath)
        pattern = one and has_magic(rpath)
        exists = one and ((pattern and len(paths) == 1) or (not pattern and into_folder and not whole_folder))
        targets = other_paths(paths, lpath, exists=exists, flatten=not one)
        await asyncio.to_thread(_check_inside, lpath, targets)
        return paths, targets

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
