"""One request under way: how long it may be silent, and how much of it has escaped."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import aclosing
from functools import cache
from typing import TYPE_CHECKING

import aiohttp

from ..errors import FilesError
from ..waiting import ended
from .body import Body, slices
from .failures import never_connected, translated
from .watch import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp.abc import AbstractStreamWriter

    from ..contract.requests import Request
    from ..options import Options
    from .body import Document, Piece
    from .watch import Watch


class _Payload(aiohttp.Payload):
    """A Body as aiohttp wants it: sized, so that Content-Length is sent; written piece by piece."""

    _value: Body | Document

    def __init__(self, body: Body | Document, flight: Flight) -> None:
        super().__init__(body, content_type=body.content_type)
        self._size = body.size
        self._flight = flight
        self.writer: asyncio.Task[object] | None = None
        self._transport: asyncio.WriteTransport | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # aiohttp's signature
        """Refuse: a streamed body cannot be shown."""
        raise TypeError("a streamed body cannot be shown")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body; each piece that was taken is a sign of life."""
        self.writer = asyncio.current_task()
        self._transport = writer.transport
        try:
            await self._write(writer)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Break the connection: to close it is to wait until the server has read what was written, perhaps for ever."""
        if self._transport is not None:
            self._transport.abort()

    def forget(self) -> None:
        """Begin another request, after a redirect: the connection of the last may be somebody else's now."""
        self._transport = None

    async def _write(self, writer: AbstractStreamWriter) -> None:
        flight = self._flight
        body = self._value
        whole = body.whole()
        if whole is not None:
            flight.allow(flight.timeouts.idle)
            await writer.write(whole)
            body.sent()
        elif isinstance(body, Body):
            await self._write_pieces(body, writer)
        flight.allow(flight.timeouts.answer)

    async def _write_pieces(self, body: Body, writer: AbstractStreamWriter) -> None:
        flight = self._flight
        async with aclosing(body.pieces()) as pieces:
            flight.allow(None)  # the source takes the time that it takes: that is not the network's silence
            async for piece in pieces:
                await self._write_in_slices(body, piece, writer)
                del piece  # its memory is read into again
                flight.allow(None)

    async def _write_in_slices(self, body: Body, piece: Piece, writer: AbstractStreamWriter) -> None:
        for part in slices(piece):
            self._flight.allow(self._flight.timeouts.idle)
            await writer.write(part)
            body.took(len(part))

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Yield the body, for who replaces aiohttp's requests and wants to see it, as vcrpy does."""
        body = self._value
        whole = body.whole()
        if whole is not None:
            yield whole
            body.sent()
        elif isinstance(body, Body):
            async with aclosing(body.pieces()) as pieces:
                async for piece in pieces:
                    yield bytes(piece)
                    body.took(len(piece))

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002
        """Write the body, whose length is the content length: Body sees to that."""
        await self.write(writer)


class Flight:
    """One request from its first byte to the last of its answer.

    Attributes:
        patience: Moved ahead by progress: it bounds silence, not work.
        single: Whether not even aiohttp may send it twice.
    """

    def __init__(
        self, request: Request, options: Options, body: Body | Document | None, until: float | None, watch: Watch
    ) -> None:
        self.request = request
        self.timeouts = options.timeouts
        self.single = options.retry.attempts == 1
        self._until = math.inf if until is None else until
        self.patience = Patience(watch)
        if until is not None:
            self.patience.until(until)  # the key may have to be asked for first
        self._body = body
        self._payload: _Payload | None = None
        self._tracker: aiohttp.UploadTracker | None = None

    @property
    def sends(self) -> int:
        """How often the request went out."""
        return max(1, self._tracker.attempts) if self._tracker else 1

    @property
    def body_headers(self) -> dict[str, str]:
        """What is said about the body, whatever a session of the caller's says about those of others."""
        body = self._body
        return {} if body is None else {"Content-Type": body.content_type, "Content-Length": str(body.size)}

    @property
    def payload(self) -> _Payload | None:
        """What aiohttp sends; None without a body."""
        if self._payload is None and self._body is not None:
            self._payload = _Payload(self._body, self)
        return self._payload

    def tracker_of_the_next(self) -> aiohttp.UploadTracker | None:
        """Return what watches the next request; a GET changes nothing and needs no watching."""
        self._tracker = None if self.request.method == "GET" else aiohttp.UploadTracker()
        return self._tracker

    def allow(self, seconds: float | None) -> None:
        """Bear this much silence from now on, but not beyond the deadline; None is for ever."""
        until = math.inf if seconds is None else time.monotonic() + seconds
        self.patience.until(min(until, self._until))

    def begin(self) -> aiohttp.ClientTimeout:
        """Wait for a connection from now on; return how long aiohttp may take for it.

        Nobody says when the connection is there if the session is the caller's: both times together are borne then.
        """
        connect, answer = self.timeouts.connect, self.timeouts.answer
        if self._payload is not None:
            self._payload.forget()
        self.allow(None if connect is None or answer is None else connect + answer)
        return _within(connect)

    def connected(self) -> None:
        """Wait for the answer from now on; a body that goes out first moves that on."""
        self.allow(self.timeouts.answer)

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

    def abort(self) -> None:
        """Break the connection of a body whose request failed."""
        if self._payload is not None:
            self._payload.abort()

    async def land(self) -> None:
        """Wait until nothing writes any more, so that the file under the body may be closed."""
        writer = self._payload.writer if self._payload else None
        if writer is not None and not writer.done():
            writer.cancel()
            await ended(writer)


@cache
def _within(connect: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect)
