"""aiohttp sessions: one for each running loop and process, made when first needed."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from ssl import SSLContext
from types import NoneType, SimpleNamespace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import aiohttp
from attrs import define, field, frozen

from ..given import check
from .deadline import no_later
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# Two of these may be held by each open answer. The more are open, the smaller they are: 32 downloads
# at once need 30 MiB less, and a single one is as fast as it can be.
_BUDGET = 2 * 1024 * 1024
_LARGEST_BUFFER, _SMALLEST_BUFFER = 256 * 1024, 64 * 1024

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})

# What a forked child inherits is its parent's: to close it would end the parent's connections.
_left_to_the_parent: list[_Held] = []

# What is open is kept alive here until it is closed: the collector would otherwise finalise a forgotten
# client's connector before the generator that closes it.
_open: dict[aiohttp.ClientSession, asyncio.AbstractEventLoop] = {}


def _close_those_of_closed_loops() -> None:
    """Let go of the sessions whose loop was closed by hand, before it could end the generators that close them."""
    for session in [session for session, loop in _open.copy().items() if loop.is_closed()]:
        _open.pop(session, None)
        with suppress(StopIteration, RuntimeError):
            session.close().send(None)  # there is nothing to wait for: the loop is gone


@define(kw_only=True, eq=False)
class Room:
    """A session, the connections it may have open at once, and what bounds their silence.

    Attributes:
        streams: How many answers are being read piece by piece.
    """

    session: aiohttp.ClientSession
    slots: asyncio.Semaphore
    watch: Watch = field(factory=Watch)
    streams: int = 0

    @property
    def read_buffer(self) -> int:
        """Bytes that one more answer may gather per read."""
        return max(_SMALLEST_BUFFER, min(_LARGEST_BUFFER, _BUDGET // max(1, self.streams)))

    async def enter(self, until: float | None) -> None:
        """Take a slot; TransportTimeoutError if there is none until a moment on the monotonic clock."""
        if until is None or not self.slots.locked():
            await self.slots.acquire()
            return
        async with no_later(until):
            await self.slots.acquire()

    async def begin_stream(self, until: float | None) -> None:
        """Take a slot for an answer that is read piece by piece."""
        await self.enter(until)
        self.streams += 1

    def end_stream(self) -> None:
        """Give it back."""
        self.streams -= 1
        self.slots.release()


@frozen(kw_only=True, eq=False)
class _Held:
    room: Room
    keeper: AsyncGenerator[Room]
    loop: asyncio.AbstractEventLoop
    pid: int

    def serves(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether requests of a loop may go out here."""
        return self.loop is loop and self.pid == os.getpid() and not self.room.session.closed


class Sessions:
    """The session of the running loop.

    A session of ours lives in an async generator. Its loop knows of it and ends it before the
    loop closes (``asyncio.run`` does), or when nobody refers to it any more: no session is left
    "unclosed", even by those who never close a client.

    Attributes:
        given: The caller's own session; None for ours.
    """

    def __init__(
        self,
        *,
        given: aiohttp.ClientSession | None,
        ssl: SSLContext | None,
        most_connections: int,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        check("session", given, aiohttp.ClientSession, NoneType)
        check("ssl", ssl, SSLContext, NoneType)
        self._trace_configs = tuple(trace_configs)
        for config in self._trace_configs:
            check("each of trace_configs", config, aiohttp.TraceConfig)
        if given is not None and self._trace_configs:
            raise ValueError("trace_configs are for sessions of ours: give them to the session that you pass in")
        if given is not None and ssl is not None:
            raise ValueError("ssl is for sessions of ours: give it to the connector of the session that you pass in")
        if most_connections < 1:
            raise ValueError(f"max_connections must be at least 1, not {most_connections!r}")
        self.given = given
        self._ssl = ssl
        self._most = most_connections
        self._held: WeakKeyDictionary[asyncio.AbstractEventLoop, _Held] = WeakKeyDictionary()
        self._last: _Held | None = None

    @property
    def has_secrets(self) -> bool:
        """Whether the caller's session sends a login or a cookie of its own to every host."""
        return self.given is not None and not _SECRET.isdisjoint(map(str.lower, self.given.headers))

    @property
    def ours(self) -> bool:
        """Whether the sessions are made here, not given by the caller."""
        return self.given is None

    async def room(self) -> Room:
        """Return the room of the running loop, opened if it was not."""
        loop, last = asyncio.get_running_loop(), self._last
        if last is not None and last.serves(loop):
            return last.room
        held = self._held.get(loop)
        if held is None or not held.serves(loop):
            held = await self._open(loop, held)
        self._last = held
        return held.room

    async def close(self) -> None:
        """Close the running loop's session, if it is ours; one that is needed later is made anew."""
        held, self._last = self._held.pop(asyncio.get_running_loop(), None), None
        if held is not None:
            await held.keeper.aclose()

    async def _open(self, loop: asyncio.AbstractEventLoop, stale: _Held | None) -> _Held:
        if stale is not None and stale.pid != os.getpid():
            _left_to_the_parent.append(stale)
        for closed in [each for each in self._held if each.is_closed()]:
            del self._held[closed]  # it refers to its loop, and would keep it alive
        _close_those_of_closed_loops()
        keeper = self._keep()
        held = _Held(room=await anext(keeper), keeper=keeper, loop=loop, pid=os.getpid())
        self._held[loop] = held
        return held

    async def _keep(self) -> AsyncGenerator[Room]:
        slots = asyncio.Semaphore(self._most)
        if self.given is not None:
            yield Room(session=self.given, slots=slots)
            return
        session = self.make()
        _open[session] = asyncio.get_running_loop()
        try:
            yield Room(session=session, slots=slots)
        finally:
            _open.pop(session, None)
            with suppress(RuntimeError):  # a loop that was closed by hand, before this
                await session.close()
                await asyncio.sleep(0)  # transports say goodbye in the next round of the loop

    def make(self, *, force_close: bool = False) -> aiohttp.ClientSession:
        """Return a session of ours; with ``force_close`` it uses each of its connections once."""
        return aiohttp.ClientSession(
            # The slots bound the connections, outside of every timeout: waiting for one is not silence.
            connector=_Connector(limit=0, force_close=force_close, ssl=self._ssl or True, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=[_telling_of_connections(), *self._trace_configs],
            trust_env=False,  # aiohttp would read netrc from disk, and refuse our Authorization
        )


class _Connector(aiohttp.TCPConnector):
    """Connections of which nothing is to be read yet: aiohttp would take that for the answer to the next request."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's
    ) -> Connection:
        """Return a connection, new or kept; close those on which something came that nobody had asked for."""
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


def _telling_of_connections() -> aiohttp.TraceConfig:
    """Return a trace that calls the ``trace_request_ctx`` of a request when it has its connection, new or kept."""

    async def connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx()

    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(connected)
    config.on_connection_reuseconn.append(connected)
    return config
