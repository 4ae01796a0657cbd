"""Reading a source in pieces: one ahead of the network, and exactly as many bytes as were promised."""

from __future__ import annotations

from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ..errors import SourceError
from ..waiting import ended

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Callable, Generator

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
