"""What a source is: something to open, for exactly so many bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable


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
