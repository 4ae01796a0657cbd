"""What we use of fsspec, with types: it ships none. Its names come from here, and from nowhere else."""

# ruff: noqa: D102, D103 - what these do, fsspec says

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    import io
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, MutableMapping
    from typing import IO, TypeVar

    T = TypeVar("T")
    Entry = dict[str, Any]

    class Callback:
        """Is told about progress."""

        size: int | None

        def set_size(self, size: int | None) -> None: ...
        def absolute_update(self, value: int) -> None: ...

    DEFAULT_CALLBACK: Callback

    def get_compression(path: str, compression: str | None) -> str | None: ...

    compr: Mapping[str | None, Callable[..., IO[bytes]]]

    def has_magic(path: str) -> bool: ...
    def make_path_posix(path: str) -> str: ...
    def other_paths(paths: list[str], path2: str, *, exists: bool, flatten: bool) -> list[str]: ...
    def get_loop() -> asyncio.AbstractEventLoop: ...
    def sync(loop: asyncio.AbstractEventLoop | None, func: Callable[..., Awaitable[T]], *args: Any) -> T: ...

    class AsyncFileSystem:
        """The part of fsspec.asyn.AsyncFileSystem that is called or replaced here."""

        asynchronous: bool
        dircache: MutableMapping[str, Any]
        storage_options: Entry
        _loop: asyncio.AbstractEventLoop | None
        _pid: int

        def __init__(
            self,
            *,
            asynchronous: bool,
            loop: asyncio.AbstractEventLoop | None,
            batch_size: int | None,
            **listings: Any,
        ) -> None: ...
        @property
        def loop(self) -> asyncio.AbstractEventLoop | None: ...
        @classmethod
        def _strip_protocol(cls, path: Any) -> Any: ...
        def walk(self, path: str, *limits: Any, **kwargs: Any) -> Generator[Any]: ...
        def _walk(self, path: str, *limits: Any, **kwargs: Any) -> AsyncGenerator[Any]: ...
        async def _expand_path(self, path: Any, *, recursive: bool, maxdepth: int | None) -> list[str]: ...
        async def _get(self, rpath: Any, lpath: Any, *how: Any, **kwargs: Any) -> Any: ...
        async def _exists(self, path: str, **kwargs: Any) -> bool: ...
        async def _rm(self, path: Any, *limits: Any, **kwargs: Any) -> Any: ...
        def open(self, path: str, mode: str, *how: Any, **kwargs: Any) -> Any: ...
        def info(self, path: str, **kwargs: Any) -> Entry: ...
        def ukey(self, path: str) -> str: ...
        def invalidate_cache(self, path: str | None = None) -> None: ...

    class Opened:
        """What both kinds of opened files have."""

        closed: bool
        fs: AsyncFileSystem
        path: str
        mode: str
        size: int
        buffer: io.BytesIO
        autocommit: bool
        details: Entry

        def __init__(self, fs: AsyncFileSystem, path: str, mode: str, **kwargs: Any) -> None: ...
        def __reduce__(self) -> Any: ...

    class AbstractBufferedFile(Opened):
        """The part of fsspec.spec.AbstractBufferedFile that is called or replaced here."""

        def close(self) -> None: ...

    class AbstractAsyncStreamedFile(Opened):
        """Likewise of fsspec.asyn.AbstractAsyncStreamedFile, which is read by coroutines."""

        async def close(self) -> None: ...

else:
    from fsspec.asyn import AbstractAsyncStreamedFile, AsyncFileSystem, get_loop, sync
    from fsspec.callbacks import DEFAULT_CALLBACK, Callback
    from fsspec.compression import compr
    from fsspec.core import get_compression, has_magic
    from fsspec.implementations.local import make_path_posix
    from fsspec.spec import AbstractBufferedFile
    from fsspec.utils import other_paths

__all__ = [
    "DEFAULT_CALLBACK",
    "AbstractAsyncStreamedFile",
    "AbstractBufferedFile",
    "AsyncFileSystem",
    "Callback",
    "compr",
    "get_compression",
    "get_loop",
    "has_magic",
    "make_path_posix",
    "other_paths",
    "sync",
]
