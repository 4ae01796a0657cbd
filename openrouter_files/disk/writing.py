"""Writing what arrives to a part file: gathered, off the loop, one write while the next is received."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..waiting import ended
from .pieces import crowded, share, sharing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .target import PartFile
    from .threads import Errand


class _Writer:
    """At most one share in memory and, unless very many are running, one on its way to the disk."""

    def __init__(self, part: PartFile) -> None:
        self._part = part
        self._held: list[bytes] = []
        self._size = 0
        self._writing: Errand[None] | None = None

    async def take(self, chunk: bytes) -> None:
        self._held.append(chunk)
        self._size += len(chunk)
        if self._size >= share():
            await self.flush()

    async def flush(self) -> None:
        await self.settle()
        held, self._held, self._size = self._held, [], 0
        self._writing = self._part.write(held)
        if crowded():  # what comes meanwhile is not held, too
            await self.settle()

    async def settle(self) -> None:
        if self._writing is not None:
            await self._writing

    async def stop(self) -> None:
        if self._writing is not None:
            await ended(self._writing.outcome())


async def write_all(chunks: AsyncIterator[bytes], part: PartFile, tell: Callable[[int], object] | None) -> None:
    """Write all chunks; ``tell`` hears how many bytes have arrived so far, if somebody listens."""
    writer, done = _Writer(part), 0
    with sharing():
        try:
            async for chunk in chunks:
                await writer.take(chunk)
                done += len(chunk)
                if tell is not None:
                    tell(done)
            await writer.flush()
            await writer.settle()
        finally:
            await writer.stop()
