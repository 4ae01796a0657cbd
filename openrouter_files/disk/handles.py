"""Open binary files of any kind, sync or async, used the same way."""

from __future__ import annotations

import asyncio
import inspect
import os
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

from .pieces import SMALLEST
from .threads import hop, settled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable


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

    async def _do(self, name: str, *args: Any) -> Any:
        method: Callable[..., Any] = getattr(self._raw, name)
        return await (settled(method(*args)) if inspect.iscoroutinefunction(method) else hop(method, *args))

    async def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        data = await self._do("read", size)
        if not isinstance(data, bytes):
            raise TypeError(f"the handle reads {type(data).__name__}, not bytes: open it in binary mode")
        return data

    def begin(self, size: int) -> asyncio.Task[bytes]:
        """Read likewise, from now on."""
        return asyncio.ensure_future(self.read(size))

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield what is left, as it comes."""
        while data := await self.read(SMALLEST):
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


def _close(file: IO[bytes]) -> None:
    file.close()
