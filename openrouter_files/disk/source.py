"""What is uploaded: something that can be opened anew for each attempt."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO, TypeAlias

from aiofiles.threadpool import wrap
from attrs import frozen

from ..errors import SourceError
from .handles import AsyncReadable, Handle, spooled
from .pieces import SMALLEST, Measure, read_ahead, relay, slices
from .threads import hop, pool, settled

Uploadable: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | AsyncReadable | AsyncIterator[bytes]"
)


async def _nothing() -> None:
    """There is nothing to close."""


@frozen(kw_only=True)
class Content:
    """A source, opened: exactly ``size`` bytes, once. Close it, read or not."""

    size: int
    pieces: AsyncGenerator[bytes | memoryview]
    close: Callable[[], Awaitable[None]] = _nothing


class Source:
    """What is uploaded.

    Attributes:
        filename: As the server should store it, unless the caller says otherwise; None if the
            source has no name.
        replayable: Whether ``open`` works more than once.
    """

    filename: str | None = None
    replayable = True

    async def open(self) -> Content:
        """Start over from the beginning."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of what the source itself made (a spool), not of what the caller gave."""


async def _all(data: bytes | memoryview) -> AsyncGenerator[bytes | memoryview]:
    for piece in slices(data):
        yield piece


class _Memory(Source):
    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B")

    async def open(self) -> Content:
        return Content(size=len(self._view), pieces=_all(self._view))


def _begin(path: str) -> tuple[int, bytes | IO[bytes]]:
    """Open a file; read and close it at once if it is small: one hop instead of four."""
    file = open(path, "rb")  # noqa: SIM115, PTH123  # closed here or by whoever gets it
    try:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is not a regular file: open it and pass the handle")
        if status.st_size > SMALLEST:
            return status.st_size, file
        data = file.read(status.st_size + 1)
    except BaseException:
        file.close()
        raise
    file.close()
    return status.st_size, data


def _abandon(begun: tuple[int, bytes | IO[bytes]]) -> None:
    if not isinstance(begun[1], bytes):
        begun[1].close()


class _Path(Source):
    def __init__(self, path: str) -> None:
        self.filename = Path(path).name
        self._path = path

    async def open(self) -> Content:
        size, begun = await hop(_begin, self._path, dropped=_abandon)
        measure = Measure(self._path, size)
        if isinstance(begun, bytes):
            measure.take(len(begun))
            measure.end()
            return Content(size=size, pieces=_all(begun))
        handle = wrap(begun, executor=pool())
        return Content(
            size=size,
            pieces=read_ahead(lambda n: settled(handle.read(n)), measure),
            close=lambda: settled(handle.close()),
        )


class _Spool(Source):
    """What can be read only once and does not know its size: kept in a temporary file."""

    def __init__(self, chunks: AsyncIterator[bytes], filename: str | None = None) -> None:
        self.filename = filename
        self._chunks = chunks
        self._kept: Handle | None = None

    async def open(self) -> Content:
        if self._kept is None:
            self._kept = await spooled(self._chunks)
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
    return Content(size=size, pieces=read_ahead(handle.read, Measure(name or "the source", size)))


class _Stream(Source):
    """An async iterator of known size: sent as it comes, and so only once."""

    replayable = False

    def __init__(self, chunks: AsyncIterator[bytes], size: int) -> None:
        self._chunks = chunks
        self._size = size
        self._opened = False

    async def open(self) -> Content:
        if self._opened:
            raise SourceError("an async iterator of known size can be read only once")
        self._opened = True
        return Content(size=self._size, pieces=relay(self._chunks, Measure("the iterator", self._size)))


def source_of(given: Uploadable, *, size: int | None = None) -> Source:
    """Make a source of whatever can be uploaded.

    Raises:
        TypeError: It cannot, or is a handle in text mode.
        ValueError: A size was given for something that knows its own, or is negative.
    """
    if size is not None and size < 0:
        raise ValueError(f"size must not be negative, and is {size}")
    if isinstance(given, AsyncIterator) and not hasattr(given, "read"):
        return _Spool(given) if size is None else _Stream(given, size)
    if size is not None:
        raise ValueError("size= is for async iterators; everything else knows its own")
    if isinstance(given, str | os.PathLike):
        return _Path(os.fspath(given))
    if isinstance(given, bytes | bytearray | memoryview):
        return _Memory(given)
    return _Handle(Handle(given))
