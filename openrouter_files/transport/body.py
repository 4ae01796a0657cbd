"""The body of one attempt, and its progress."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TypeAlias

from ..models import Progress, ProgressCallback
from ..options import tell
from ..protocol.multipart import Form

Piece: TypeAlias = bytes | memoryview

# So many bytes at most are written at once: half of what is read at once, so that what TLS makes of it stays in the
# processor's cache. Written as it was read, uploads over TLS take a tenth longer (over HTTP 4 % less).
_ONE_WRITE = 160 * 1024
# A file of up to so many bytes travels together with its form.
_TOGETHER = 256 * 1024


def slices(data: Piece) -> Iterator[memoryview]:
    """Cut what is too long for one write."""
    view = memoryview(data)
    for start in range(0, len(view), _ONE_WRITE):
        yield view[start : start + _ONE_WRITE]


class Body:
    """One request body, good for one attempt.

    Attributes:
        size: Bytes in all, form included: the Content-Length.
        content_type: Of the form.
        failure: What broke the content while it was read: aiohttp dresses it as a network
            error, so the body remembers it; None while all is well.
        handed_over: Whether the last byte has left for the network. Before that, the server
            cannot have a whole file.
    """

    def __init__(
        self,
        form: Form,
        size: int,
        content: AsyncGenerator[Piece],
        on_progress: ProgressCallback | None = None,
        *,
        data: Piece | None = None,
    ) -> None:
        self.size = len(form.head) + size + len(form.tail)
        self.content_type = form.content_type
        self.failure: Exception | None = None
        self.handed_over = False
        self._form = form
        self._length = size
        self._content = content
        self._data = data if size <= _TOGETHER else None
        self._tell = on_progress
        self._left = 0
        self._told = -1

    def whole(self) -> bytes | None:
        """Return all bytes, to be sent at once; None if they are too many, or not in memory yet."""
        if self._data is None:
            return None
        self.handed_over = True
        return b"".join((self._form.head, self._data, self._form.tail))

    def sent(self) -> None:
        """Say that the whole has left; what the listener raises is also kept in ``failure``."""
        self.took(self.size)

    def took(self, count: int) -> None:
        """Say that some more bytes have left, likewise."""
        self._left += count
        done = min(self._left - len(self._form.head), self._length)
        if self._tell is None or self._left == len(self._form.head) or done == self._told:
            return
        self._told = done
        try:
            tell("on_progress", self._tell, Progress(done=done, total=self._length))
        except Exception as error:
            self.failure = error
            raise

    async def pieces(self) -> AsyncGenerator[Piece]:
        """Yield the bytes to send; whatever the content raises is also kept in ``failure``."""
        form = self._form
        try:
            async with aclosing(self._content) as content:
                if self._length <= _TOGETHER:
                    whole = b"".join([form.head, *[piece async for piece in content], form.tail])
                    self.handed_over = True
                    yield whole
                    return
                yield form.head
                async for piece in content:
                    yield piece
                    del piece  # its memory is read into again
            self.handed_over = True
            yield form.tail
        except Exception as error:
            self.failure = error
            raise

    async def aclose(self) -> None:
        """Let go of the content of a body that was perhaps never sent."""
        await self._content.aclose()


class Document:
    """A small body that is in memory already; good for any number of attempts. Like Body for the transport."""

    failure: Exception | None = None

    def __init__(self, data: bytes, content_type: str) -> None:
        self.size = len(data)
        self.content_type = content_type
        self.handed_over = False
        self._data = data

    def whole(self) -> bytes:
        """Return all bytes, to be sent at once."""
        self.handed_over = True
        return self._data

    def sent(self) -> None:
        """Nobody listens."""
