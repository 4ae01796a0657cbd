"""A file on disk as a source: a small one in a single hop, a large one in pieces."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO

from .content import Content, Source, in_memory
from .large import LargeFile
from .pieces import SMALLEST, Measure
from .visits import short_hop

# A named pipe would wait for its other end, and the thread with it.
_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _begin(path: str) -> tuple[int, bytes | FileIO]:
    """Open a file; read and close it at once if it is small: one hop instead of four.

    By the system's own calls: Python's open makes three more of them, and after each the thread
    has to wait for its turn.
    """
    descriptor = os.open(path, _AT_ONCE)
    try:
        size = _size(descriptor, path)
        data = _whole(descriptor, size) if size <= SMALLEST else None
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


def _whole(descriptor: int, size: int) -> bytes:
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
