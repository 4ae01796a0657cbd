"""What is uploaded: something that can be opened anew for each attempt."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from typing import IO, TypeAlias

from ..errors import FilesError, SourceError
from .content import Content, Source, in_memory
from .handles import AsyncReadable, Handle, spooled
from .paths import PathSource
from .pieces import Measure, read_ahead, relay

Uploadable: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | AsyncReadable | AsyncIterator[bytes]"
)
"""What can be uploaded: a path, content in memory, a binary handle (sync or async), pieces as they come."""


class _Memory(Source):
    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B")

    async def open(self) -> Content:
        return in_memory(self._view)

    async def close(self) -> None:
        self._view.release()


class _Spool(Source):
    """What can be read only once and does not know its size: kept in a temporary file."""

    def __init__(self, chunks: AsyncGenerator[bytes], filename: str | None = None) -> None:
        self.filename = filename
        self._chunks = chunks
        self._begun = False
        self._kept: Handle | None = None

    async def open(self) -> Content:
        if self._kept is None and self._begun:
            raise SourceError("the source broke off while it was read, and cannot be read again")
        self._begun = True
        self._kept = self._kept or await spooled(self._chunks)
        return await _measured(self._kept, self.filename)

    async def close(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.close()


class _Handle(Source):
    """A handle of the caller's; one that cannot seek (a pipe) is spooled."""

    def __init__(self, handle: Handle) -> None:
        self.filename = handle.filename
        self._handle = handle
        self._spool = _Spool(handle.chunks(), handle.filename)

    async def open(self) -> Content:
        if await self._handle.is_seekable():
            return await _measured(self._handle, self.filename)
        return await self._spool.open()

    async def close(self) -> None:
        await self._spool.close()


async def _measured(handle: Handle, name: str | None) -> Content:
    size = await handle.rewind()
    return Content(size=size, pieces=read_ahead(handle.begin, Measure(name or "the source", size)))


class _Stream(Source):
    """An async iterator of known size: sent as it comes, and so only once."""

    replayable = False

    def __init__(self, chunks: AsyncGenerator[bytes], size: int) -> None:
        self._chunks = chunks
        self._size = size
        self._opened = False

    async def open(self) -> Content:
        if self._opened:
            raise SourceError("an async iterator of known size can be read only once")
        self._opened = True
        return Content(size=self._size, pieces=relay(self._chunks, Measure("the iterator", self._size)))


async def _blamed(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Relay an iterator of the caller's; one that fails with an error of ours must not be repeated for it."""
    try:
        async for chunk in chunks:
            yield chunk
    except FilesError as error:
        raise SourceError(f"the source failed: {error}") from error


def source_of(given: Uploadable, *, size: int | None = None) -> Source:
    """Make a source of whatever can be uploaded.

    Raises:
        TypeError: It cannot, or is a handle in text mode.
        ValueError: A size was given for something that knows its own, or is negative.
    """
    if size is not None and size < 0:
        raise ValueError(f"size must not be negative, and is {size}")
    if isinstance(given, AsyncIterator) and not hasattr(given, "read"):
        chunks = _blamed(given)
        return _Spool(chunks) if size is None else _Stream(chunks, size)
    if size is not None:
        raise ValueError("size= is for async iterators; everything else knows its own")
    if isinstance(given, str | os.PathLike):
        return PathSource(os.fspath(given))
    if isinstance(given, bytes | bytearray | memoryview):
        return _Memory(given)
    return _Handle(Handle(given))
