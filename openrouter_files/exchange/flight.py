"""One request under way: how long it may be silent, and how much of it has escaped."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import aiohttp

from ..errors import FilesError
from ..waiting import ended
from .failures import never_connected, translated

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

    from ..contract.requests import Request
    from ..options import Options
    from .body import Body, Document


def _on_the_loops_clock(moment: float) -> float:
    return asyncio.get_running_loop().time() + moment - time.monotonic()


class _Payload(aiohttp.Payload):
    """A Body as aiohttp wants it: sized, so that Content-Length is sent; written piece by piece."""

    _value: Body | Document

    def __init__(self, body: Body | Document, flight: Flight) -> None:
        super().__init__(body, content_type=body.content_type)
        self._size = body.size
        self._flight = flight
        self.writer: asyncio.Task[object] | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # aiohttp's signature
        """Refuse: a streamed body cannot be shown."""
        raise TypeError("a streamed body cannot be shown")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body; each piece that was taken is a sign of life."""
        self.writer = asyncio.current_task()
        flight = self._flight
        async with aclosing(self._value.pieces()) as pieces:
            flight.allow(None)  # the source takes the time that it takes: that is not the network's silence
            async for piece in pieces:
                flight.allow(flight.timeouts.idle)
                await writer.write(piece)
                flight.allow(None)
        flight.allow(flight.timeouts.answer)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002
        """Write the body, whose length is the content length: Body sees to that."""
        await self.write(writer)


class Flight:
    """One request from its first byte to the last of its answer.

    Attributes:
        limit: One timeout, moved ahead by progress: it bounds silence, not work.
        payload: What aiohttp sends; None without a body.
        single: Whether not even aiohttp may send it twice.
    """

    def __init__(self, request: Request, options: Options, body: Body | Document | None, until: float | None) -> None:
        self.request = request
        self.timeouts = options.timeouts
        self.single = options.retry.attempts == 1
        self._until = until
        self.limit = asyncio.timeout(None)
        self.payload = None if body is None else _Payload(body, self)
        self._body = body
        self._tracker: aiohttp.UploadTracker | None = None

    @property
    def sends(self) -> int:
        """How often the request went out."""
        return self._tracker.attempts if self._tracker else 1

    def tracker_of_the_next(self) -> aiohttp.UploadTracker | None:
        """Return what watches the next request; a GET changes nothing and needs no watching."""
        self._tracker = None if self.request.method == "GET" else aiohttp.UploadTracker()
        return self._tracker

    def allow(self, *seconds: float | None) -> None:
        """Bear this much silence from now on, but not beyond the deadline; None is for ever."""
        ends = [] if self._until is None else [self._until]
        if None not in seconds:
            ends.append(time.monotonic() + sum(s for s in seconds if s is not None))
        with suppress(RuntimeError):  # the answer came before the body was out: nobody watches any more
            self.limit.reschedule(_on_the_loops_clock(min(ends)) if ends else None)

    def blame(self, error: BaseException) -> Exception:
        """Return the error to raise, with all that is known about the request.

        A body that broke by itself comes first: aiohttp dresses a broken disk as a broken network.
        """
        if self._body is not None and self._body.failure is not None:
            return self._body.failure
        during = f"{self.request.method} {self.request.path}"
        blamed = error if isinstance(error, FilesError) else translated(error, during=during)
        blamed.request = (self.request.method, self.request.path)
        blamed.maybe_processed = not never_connected(error) and self._escaped()
        return blamed

    def _escaped(self) -> bool:
        """Whether the server may have acted on the request: all of it has left."""
        if self._tracker is None or self._body is None:
            return self._tracker is not None
        sent = self._tracker.upload_complete
        return sent.exception() is None if sent.done() else self._body.handed_over

    async def land(self) -> None:
        """Wait until nothing writes any more, so that the file under the body may be closed."""
        writer = self.payload.writer if self.payload else None
        if writer is not None and not writer.done():
            writer.cancel()
            await ended(writer)
