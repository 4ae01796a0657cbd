"""The bytes of one file by position: by blocks where the server has ranges, from a local copy where not."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from openrouter_files import File, FilesClient

# Bytes: a local copy up to this stays in memory.
_SMALL = 4 * 1024 * 1024

# What a forked child inherits is its parent's: to close it would end the parent's connections.
_left_to_the_parent: list[object] = []


class Content:
    """The content of a file, asked for when it is read. Between two reads no connection is held.

    A server that has ranges is asked for each block. From one that has none the file is fetched once, into a
    temporary file.
    """

    def __init__(self, files: FilesClient, file: File) -> None:
        self._files = files
        self._file = file
        self._is_closed = False
        self._fresh()

    def _fresh(self) -> None:
        self._pid = os.getpid()
        self._turn = asyncio.Lock()
        self._copy: IO[bytes] | None = None

    async def between(self, start: int, stop: int) -> bytes:
        """Return the bytes from one position to before another; fewer at the end of the file.

        Raises:
            FilesError: Whatever a download ends with. The next read begins anew.
            ValueError: It is closed.
        """
        self._forget_the_parents()
        size = self._file.size_bytes
        stop = stop if size is None else min(stop, size)
        async with self._turn:
            if self._is_closed:
                raise ValueError("I/O operation on closed file")
            if start >= stop:
                return b""
            if self._copy is None:
                if (start, stop) == (0, size):
                    return await self._files.download(self._file).read()
                async with self._files.download(self._file, start=start, stop=stop) as part:
                    if part.has_ranges:
                        return await part.read()
                self._copy = await self._copied()
            return await asyncio.to_thread(_read, self._copy, start, stop)

    async def _copied(self) -> IO[bytes]:
        copy = cast("IO[bytes]", tempfile.SpooledTemporaryFile(_SMALL))  # noqa: SIM115  # closed by `close`
        try:
            async with self._files.download(self._file) as chunks:
                async for chunk in chunks:
                    await asyncio.to_thread(copy.write, chunk)
        except BaseException:
            copy.close()
            raise
        return copy

    def _forget_the_parents(self) -> None:
        if self._pid != os.getpid():
            _left_to_the_parent.append(self._copy)
            self._fresh()

    async def close(self) -> None:
        """Drop the copy, once nobody reads any more."""
        self._forget_the_parents()
        async with self._turn:
            self._is_closed = True
            if self._copy is not None:
                self._copy.close()  # at once: at the end of a program there is no thread any more that could do it
                self._copy = None


def _read(copy: IO[bytes], start: int, stop: int) -> bytes:
    copy.seek(start)
    return copy.read(stop - start)
