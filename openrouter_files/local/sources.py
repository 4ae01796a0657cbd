"""What is uploaded: opened anew for each attempt."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import inspect
import io
import os
import selectors
import stat
import tempfile
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import aclosing, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

from aiofiles.threadpool.binary import AsyncFileIO
from attrs import frozen

from ..errors import FilesError, SourceError
from .threads import aside, ended, hop, pool, settled, short_hop

# ---- Reading a source in pieces: one ahead of the network, and exactly as many bytes as were promised.

if TYPE_CHECKING:
    # Begins to read at once; what it returns is waited for, whatever happens.
    Begin: TypeAlias = Callable[[int], "asyncio.Future[bytes]"]

# Measured: 95 MB read in pieces of 64 KiB took 2.1 s, of 256 KiB 0.8 s, of 1 MiB 0.34 s. Many
# transfers at once share the budget instead of multiplying it.
_BUDGET = 8 * 1024 * 1024
_LARGEST, SMALLEST = 1024 * 1024, 256 * 1024

_running = 0


@contextmanager
def sharing() -> Generator[None]:
    """Count one more running transfer."""
    global _running  # noqa: PLW0603  # one budget for the process
    _running += 1
    try:
        yield
    finally:
        _running -= 1


def share() -> int:
    """Return how many bytes one of the running transfers may hold at a time."""
    return max(SMALLEST, min(_LARGEST, _BUDGET // max(1, _running)))


def crowded() -> bool:
    """Whether so many are running that even the smallest shares are more than the budget."""
    return _running * SMALLEST > _BUDGET


class Measure:
    """Counts what is read of a source against what it promised."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self.left = size

    def take(self, count: int) -> None:
        """Count some bytes; SourceError as soon as they are too many."""
        self.left -= count
        if self.left < 0:
            raise SourceError(f"{self._name} grew while it was sent (it had {self._size} bytes)")

    def wanted(self) -> int:
        """Return how many bytes to read next: one more than is left tells whether there are more."""
        return min(share(), self.left + 1)

    def end(self) -> None:
        """Say that there is no more; SourceError if there should be."""
        if self.left:
            sent = self._size - self.left
            raise SourceError(f"{self._name} ended at {sent} of {self._size} bytes while it was sent")


async def read_ahead(begin: Begin, measure: Measure) -> AsyncGenerator[bytes]:
    """Yield exactly the promised bytes, reading one piece while the last is being sent.

    The last piece goes out only after the end was seen: a server never gets a whole file that is
    not the one on disk.
    """
    with sharing():
        ahead = begin(measure.wanted())
        try:
            while data := await ahead:
                measure.take(len(data))
                ahead = begin(measure.wanted())
                if not measure.left:
                    measure.take(len(await ahead))
                yield data
            measure.end()
        finally:
            await ended(ahead)


async def relay(chunks: AsyncGenerator[bytes], measure: Measure) -> AsyncGenerator[bytes]:
    """Yield exactly the promised bytes of an iterator, the last chunk only after its end was seen."""
    held = b""
    async with aclosing(chunks):
        async for chunk in chunks:
            if not chunk:  # it says nothing about the end
                continue
            measure.take(len(memoryview(chunk)))
            if held:
                yield held
            held = bytes(chunk)  # a buffer may be filled anew
        measure.end()
    if held:
        yield held


# ---- What a source is: something to open, for exactly so many bytes.


async def _nothing() -> None:
    """There is nothing to close."""


@frozen(kw_only=True)
class Content:
    """A source, opened: exactly ``size`` bytes, once. Close it, read or not.

    Attributes:
        data: All of them, if they are in memory already; then ``pieces`` may be left alone.
    """

    size: int
    data: bytes | memoryview | None = None
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


async def _whole(data: bytes | memoryview) -> AsyncGenerator[bytes | memoryview]:
    if data:
        yield data


def in_memory(data: bytes | memoryview) -> Content:
    """Return bytes as a content; ``data`` must be counted in bytes."""
    return Content(size=len(data), pieces=_whole(data), data=data)


# ---- A large file on disk, in pieces: read on the loop what the system has in memory, in a thread what it must fetch.
#
# It nearly always has it: what is uploaded was written a moment ago, or was read ahead. A way to a thread and
# back costs as much then as the reading, and ends with the bytes in another core's cache. Measured: 16 uploads of
# 8 MiB, 8 at once, take 15 % less time and 27 % less CPU; over TLS, 8 and 19 %.

# Source: preadv2(2): what is not there at once is not waited for. Only Linux promises it.
_NO_WAITING: int | None = getattr(os, "RWF_NOWAIT", None)
# So much is read on the loop before others have their turn. With 512 KiB, and with 256, a single upload over HTTP
# takes at least a quarter longer; eight at once take 7 and 3 % longer, over TLS 16 and 4 %.
_AT_ONCE = 320 * 1024
# Source: posix_fadvise(2).
_WILL_NEED: int | None = getattr(os, "POSIX_FADV_WILLNEED", None)


class LargeFile(AsyncFileIO):
    """A handle of aiofiles that needs no thread for what need not be waited for."""

    def __init__(self, file: FileIO) -> None:
        super().__init__(file, None, pool())
        self._plain = file
        self._at = 0
        self._flag = _NO_WAITING
        self._buffers: list[bytearray] = []

    async def pieces(self, measure: Measure) -> AsyncGenerator[memoryview]:
        """Yield exactly the promised bytes, the last piece only after the end was seen; see ``read_ahead``."""
        with sharing():
            while data := await self._next(measure.wanted()):
                measure.take(len(data))
                if not measure.left:
                    measure.take(len(await self._next(1)))
                yield data
                del data  # its memory is read into again
                await asyncio.sleep(0)  # a network may be so fast that nothing else waits here
            measure.end()

    async def end(self) -> None:
        """Close it; where nothing had to be waited for, that need not be, either."""
        if self._flag is None:
            await settled(self.close())
        else:
            self._plain.close()

    async def _next(self, count: int) -> memoryview:
        data = self._read_at_once(min(count, _AT_ONCE))
        if data is None:
            data = await hop(self._fetch, self._room(count))
        self._at += len(data)
        return data

    def _read_at_once(self, count: int) -> memoryview | None:
        """Return what there is, nothing at the end; None if it must be waited for, or nobody can tell."""
        if self._flag is None:
            return None
        room = self._room(count)
        try:
            return room[: os.preadv(self._plain.fileno(), [room], self._at, self._flag)]
        except OSError as error:
            if error.errno != errno.EAGAIN:  # not on this file system; what else is wrong, ``_fetch`` tells
                self._flag = None
            return None

    def _fetch(self, room: memoryview) -> memoryview:
        """Read from the disk, and have what follows read while this is sent."""
        self._plain.seek(self._at)
        size = self._plain.readinto(room)
        if _WILL_NEED is not None:
            with suppress(OSError):  # advice that is not taken is no reason to fail
                os.posix_fadvise(self._plain.fileno(), self._at + size, len(room), _WILL_NEED)
        return room[:size]

    def _room(self, size: int) -> memoryview:
        """Return memory that nobody looks at: to touch new memory takes as long as to read a file into it.

        What a transport has not sent yet is never overwritten, however it keeps it.
        """
        for buffer in self._buffers:
            if len(buffer) > size and _is_free(buffer):
                return memoryview(buffer)[:size]
        self._buffers.append(bytearray(size + 1))
        return memoryview(self._buffers[-1])[:size]


def _is_free(buffer: bytearray) -> bool:
    """Whether there is no view of it: Python refuses to resize what somebody looks at."""
    try:
        buffer.pop()
    except BufferError:
        return False
    buffer.append(0)
    return True


# ---- A file on disk as a source: a small one in a single hop, a large one in pieces.

# A named pipe would wait for its other end, and the thread with it.
_PATHS_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _begin(path: str) -> tuple[int, bytes | FileIO]:
    """Open a file; read and close it at once if it is small: one hop instead of four.

    By the system's own calls: Python's open makes three more of them, and after each the thread
    has to wait for its turn.
    """
    descriptor = os.open(path, _PATHS_AT_ONCE)
    try:
        size = _size(descriptor, path)
        data = _paths_whole(descriptor, size) if size <= SMALLEST else None
    except BaseException:
        os.close(descriptor)
        raise
    if data is None:
        return size, FileIO(descriptor, "rb")
    os.close(descriptor)
    return size, data


def _size(descriptor: int, path: str) -> int:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a regular file: open it and pass the handle")
    return status.st_size


def _paths_whole(descriptor: int, size: int) -> bytes:
    """Read a small file, and one byte more if it has one: it grew then."""
    data = os.read(descriptor, size + 1)
    while len(data) <= size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data


def _abandon(begun: tuple[int, bytes | FileIO]) -> None:
    if not isinstance(begun[1], bytes):
        begun[1].close()


class PathSource(Source):
    """Opened anew for each attempt, and measured each time."""

    def __init__(self, path: str) -> None:
        self.filename = os.path.basename(path)  # noqa: PTH119  # a Path costs as much as reading the file
        self._path = path

    async def open(self) -> Content:
        """Open the file; the whole of a small one is read and closed already."""
        size, begun = await short_hop(_begin, self._path, dropped=_abandon)
        measure = Measure(self._path, size)
        if isinstance(begun, bytes):
            measure.take(len(begun))
            measure.end()
            return in_memory(begun)
        file = LargeFile(begun)
        return Content(size=size, pieces=file.pieces(measure), close=file.end)


# ---- Open binary files of any kind, sync or async, used the same way.

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


# ---- What is uploaded: something that can be opened anew for each attempt.

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


# ---- The hash of a content, for the rare case that two uploads look alike in a listing.


async def digest(pieces: AsyncGenerator[bytes | memoryview]) -> bytes:
    """Return the SHA-256 of all pieces, computed off the loop."""
    hashed = hashlib.sha256()
    async with aclosing(pieces):
        async for piece in pieces:
            await hop(hashed.update, piece)
    return hashed.digest()
