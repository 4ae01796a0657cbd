"""Open binary files of any kind, sync or async, used the same way."""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import selectors
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

from .pieces import SMALLEST
from .threads import aside, hop, settled

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncGenerator, Awaitable, Callable


# Seconds after which a thread that waits for a pipe notices that nobody waits for it any more.
_LOOK_UP = 0.2


class AsyncReadable(Protocol):
    """A handle as aiofiles opens it, in binary mode."""

    def read(self, size: int = -1, /) -> Awaitable[bytes]:
        """Return at most ``size`` bytes, none at the end."""
        ...


Readable: TypeAlias = "IO[bytes] | AsyncReadable"


def _bare(raw: Any) -> Any:
    """Return the file inside FastAPI's and Starlette's UploadFile, which cannot tell where it stands."""
    inner = getattr(raw, "file", None)
    return inner if not hasattr(raw, "tell") and hasattr(inner, "read") else raw


def _name(raw: Any) -> str | None:
    name = getattr(raw, "filename", None) or getattr(raw, "name", None)
    return Path(os.fsdecode(name)).name if isinstance(name, str | bytes) and name else None


class Handle:
    """An open file that the caller owns: read from where it stood, left open.

    Attributes:
        filename: None if the file has no name.
    """

    def __init__(self, raw: Any, *, start: int | None = None) -> None:
        self._raw = _bare(raw)
        if not callable(getattr(self._raw, "read", None)):
            raise TypeError(f"cannot upload a {type(raw).__name__}: pass a path, bytes, a handle or an async iterator")
        if hasattr(self._raw, "encoding"):
            raise TypeError("the handle is in text mode: open it in binary mode")
        self.filename = _name(raw)
        self._start = start

    async def _next(self, size: int) -> Any:
        """Read from what may never answer, a pipe or a socket: that can be cancelled, and holds up nobody else."""
        read: Callable[..., Any] = self._raw.read
        if inspect.iscoroutinefunction(read):
            return await read(size)
        pipe: Any = getattr(self._raw, "raw", self._raw)  # what a buffered file is around
        if isinstance(pipe, io.FileIO) and os.name != "nt":
            return await aside(_read_in_time, self._raw, pipe.fileno(), size)
        return await aside(_read_whenever, read, size)

    async def _do(self, name: str, *args: Any) -> Any:
        method: Callable[..., Any] = getattr(self._raw, name)
        return await (settled(method(*args)) if inspect.iscoroutinefunction(method) else hop(method, *args))

    async def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        return _checked(await self._do("read", size))

    def begin(self, size: int) -> asyncio.Task[bytes]:
        """Read likewise, from now on."""
        return asyncio.ensure_future(self.read(size))

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield what is left, as it comes."""
        while data := _checked(await self._next(SMALLEST)):
            yield data

    async def is_seekable(self) -> bool:
        """Whether it can be read twice; a pipe cannot."""
        return hasattr(self._raw, "seek") and (not hasattr(self._raw, "seekable") or await self._do("seekable"))

    async def rewind(self) -> int:
        """Go back to where the handle stood at first; return how many bytes there are from there."""
        if self._start is None:
            self._start = await self._do("tell")
        await self._do("seek", 0, os.SEEK_END)
        size: int = await self._do("tell") - self._start
        await self._do("seek", self._start)
        return max(0, size)

    async def write(self, data: bytes) -> None:
        """Append to it: only for handles of our own."""
        await self._do("write", data)

    async def close(self) -> None:
        """Close it: only for handles of our own."""
        await self._do("close")


async def spooled(chunks: AsyncGenerator[bytes]) -> Handle:
    """Write what can be read only once to a temporary file, which knows its size and can be read again."""
    handle = Handle(await hop(tempfile.TemporaryFile, dropped=_close), start=0)
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                await handle.write(chunk)
    except BaseException:
        await handle.close()
        raise
    return handle


def _checked(data: Any) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError(f"the handle reads {type(data).__name__}, not bytes: open it in binary mode")
    return data


def _read_whenever(_: threading.Event, read: Callable[[int], Any], size: int) -> Any:
    """Read from what cannot be asked whether there is something: the thread waits, also if nobody else does."""
    return read(size)


def _read_in_time(given_up: threading.Event, file: Any, descriptor: int, size: int) -> Any:
    """Read from a pipe or a terminal once there is something; if nobody waits any more, leave that where it is.

    Not before: who reads holds the lock of a buffered file, and the interpreter aborts at its end if a thread has that.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not selector.select(_LOOK_UP):
            if given_up.is_set():
                return b""
    if given_up.is_set():
        return b""
    return file.read1(size) if hasattr(file, "read1") else file.read(size)


def _close(file: IO[bytes]) -> None:
    file.close()
