"""The bytes of one file by position: streamed, by blocks where the server has ranges, from a local copy where not."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openrouter_files import Download, File, FilesClient

# A local copy up to this stays in memory; and so much of it is written at once.
_SMALL, _PIECE = 4 * 1024 * 1024, 1024 * 1024

# What a forked child inherits is its parent's: to close it would end the parent's connections.
_left_to_the_parent: list[object] = []


class Flow:
    """A download that is read from its start on; ``at`` is the position of the next byte."""

    def __init__(self, download: Download) -> None:
        self.at = 0
        self.has_ranges = download.has_ranges
        self._download = download
        self._chunks: AsyncIterator[bytes] = aiter(download)
        self._left = b""

    async def take(self, count: int) -> bytes:
        """Return the next bytes; fewer only at the end of the file."""
        parts, missing = [self._left], count - len(self._left)
        while missing > 0 and (chunk := await anext(self._chunks, b"")):
            parts.append(chunk)
            missing -= len(chunk)
        found = b"".join(parts)
        self._left = found[count:]
        self.at += min(count, len(found))
        return found[:count]

    async def close(self) -> None:
        """Let go of the connection."""
        await self._download.__aexit__(None, None, None)


class Copy:
    """A local copy of a download that grows as far as it is read."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._file = tempfile.SpooledTemporaryFile(_SMALL)  # noqa: SIM115  # closed by `close`

    async def between(self, start: int, stop: int) -> bytes:
        """Return the bytes from one position to before another, which the file has."""
        while self._flow.at < stop and (piece := await self._flow.take(_PIECE)):
            await asyncio.to_thread(self._append, piece)
        return await asyncio.to_thread(self._read, start, stop)

    def _append(self, piece: bytes) -> None:
        self._file.seek(0, os.SEEK_END)
        self._file.write(piece)

    def _read(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        return self._file.read(stop - start)

    async def close(self) -> None:
        """Drop the copy; at once, because at the end of a program there is no thread any more that could do it."""
        self._file.close()


class Content:
    """The content of a file, asked for when it is first read.

    What is read from the start on comes in one request. The rest comes by a request for each block
    if the server has ranges. If it has none, what was received is kept in a temporary file.
    """

    def __init__(self, files: FilesClient, file: File) -> None:
        self._files = files
        self._file = file
        self._is_closed = False
        self._fresh()

    def _fresh(self) -> None:
        self._pid = os.getpid()
        self._turn = asyncio.Lock()
        self._flow: Flow | None = None
        self._copy: Copy | None = None

    async def between(self, start: int, stop: int) -> bytes:
        """Return the bytes from one position to before another; fewer at the end of the file.

        Raises:
            FilesError: Whatever a download ends with. The next read begins anew.
            ValueError: It is closed.
        """
        self._forget_the_parents()
        stop = stop if self._file.size_bytes is None else min(stop, self._file.size_bytes)
        async with self._turn:
            if self._is_closed:
                raise ValueError("I/O operation on closed file")
            try:
                return await self._found(start, stop) if start < stop else b""
            except BaseException:
                await self._drop()
                raise

    async def _found(self, start: int, stop: int) -> bytes:
        if self._flow is None and start == 0:
            await self._begin()
        if self._copy is not None:
            return await self._copy.between(start, stop)
        if self._flow is not None and self._flow.at == start:
            return await self._flow.take(stop - start)
        return await self._part(start, stop)

    async def _begin(self, *, copied: bool = False) -> None:
        """Ask for the whole file; keep a copy if nothing of it can be asked for twice."""
        download = self._files.download(self._file)
        await download.__aenter__()
        self._flow = Flow(download)
        self._copy = Copy(self._flow) if copied or not self._flow.has_ranges else None

    async def _part(self, start: int, stop: int) -> bytes:
        async with self._files.download(self._file, start=start, stop=stop) as part:
            if part.has_ranges:
                return await part.read()
        await self._drop()
        await self._begin(copied=True)
        return await self._found(start, stop)

    def _forget_the_parents(self) -> None:
        if self._pid != os.getpid():
            _left_to_the_parent.append((self._flow, self._copy))
            self._fresh()

    async def close(self) -> None:
        """Let go of the connection and of the copy, once nobody reads any more."""
        self._forget_the_parents()
        async with self._turn:
            self._is_closed = True
            await self._drop()

    async def _drop(self) -> None:
        flow, copy = self._flow, self._copy
        self._flow = self._copy = None
        for held in (copy, flow):
            if held is not None:
                await held.close()
