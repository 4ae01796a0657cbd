"""One aiohttp session for each event loop and process."""

from __future__ import annotations

import asyncio
import math
import os
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address, ip_network
from ssl import SSLContext
from types import NoneType, SimpleNamespace, TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from attrs import define, field, frozen

from ..errors import TransportTimeoutError
from ..options import check, is_loopback
from .key import Secret

# ---- Which proxy the environment names. Read by us: aiohttp would read netrc with it, and refuse our Authorization.

_PORTS = {"http": 80, "https": 443}

# Why a proxy that is named cannot be asked, in a line that holds nothing of its URL: there may be a login in it.
_Problem: TypeAlias = str


@frozen(kw_only=True, eq=False)
class Proxy:
    """Where requests to an origin are sent instead, and what the proxy wants to hear.

    Attributes:
        url: Without the login.
        headers: The login, if there is one.
    """

    url: str
    headers: dict[str, str] = field(factory=dict[str, str], repr=False)


def proxy_from_environment(url: str) -> Proxy | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a URL.

    What runs on this machine is never asked for by way of another: a proxy on the way out could not
    reach it, and would see the key.

    Raises:
        ValueError: It is named, but none that could be used. Neither the message nor a frame holds a login.
    """
    found = _named(url)
    if isinstance(found, _Problem):
        raise ValueError(found)  # noqa: TRY004  # the value of a variable is wrong
    return found


def check_environment_of(session: aiohttp.ClientSession, url: str) -> None:
    """Refuse a session of the caller's that would ask a proxy for a server on this machine, in plain text.

    Raises:
        ValueError: aiohttp reads the environment for this session, which names a proxy and no exception.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    asks = session.trust_env and parts.scheme == "http" and is_loopback(host)
    if asks and "http" in getproxies() and not proxy_bypass(host):
        raise ValueError(
            f"the session would send the key to the proxy that HTTP_PROXY names, in plain text, to reach {host}: "
            f"add {host} to NO_PROXY, or make the session with trust_env=False"
        )


def _named(url: str) -> Proxy | _Problem | None:
    parts, proxies = urlsplit(url), getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    host = (parts.hostname or "").rstrip(".")
    if not named or not host or is_loopback(host) or proxy_bypass(host):
        return None
    port = parts.port or _PORTS.get(parts.scheme)
    if any(_is_excepted(host, port, entry) for entry in re.split(r"[,\s]+", proxies.get("no", ""))):
        return None
    variable = f"{parts.scheme.upper()}_PROXY" if proxies.get(parts.scheme) else "ALL_PROXY"
    return _read(named.strip(), variable)


def _is_excepted(host: str, port: int | None, entry: str) -> bool:
    """Whether one entry of NO_PROXY means a host: ``*``, a domain with all below it, an address, a network.

    A port narrows it.

    Source: curl's manual, CURLOPT_NOPROXY; requests reads networks and ports likewise.
    """
    entry = entry.lower()
    if entry == "*":
        return True
    if _is_address_of(host, entry):
        return True
    name, colon, digits = entry.rpartition(":")
    if colon and digits.isdecimal() and (":" not in name or name.endswith("]")):  # not the end of a bare IPv6 address
        if int(digits) != port:
            return False
        entry = name
    domain = entry.removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}") or _is_address_of(host, domain))


def _is_address_of(host: str, entry: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def _read(named: str, variable: str) -> Proxy | _Problem:
    try:
        parts = urlsplit(named if "://" in named else f"http://{named}")
        port = parts.port
    except ValueError:
        return f"{variable} is not the URL of a proxy: write http://host:port"
    if parts.scheme not in _PORTS:
        kind = "a SOCKS proxy" if parts.scheme.startswith("socks") else "a proxy of another kind"
        return (
            f"{variable} names {kind}, which is not supported: name an http:// proxy, list the host in NO_PROXY, "
            f"or pass trust_env=False to go without"
        )
    rest = parts.path.strip("/") + parts.query + parts.fragment  # an unescaped / ? or # in a password ends up here
    bare = parts.netloc.rpartition("@")[2]
    if not parts.hostname or port == 0 or rest or not re.fullmatch(r"[\w.:\[\]%-]+", bare):
        return f"{variable} is not the URL of a proxy: write http://host:port, and a login in it percent-encoded"
    login = _login(parts)
    if login is None:
        return f"{variable} holds a login that no proxy can be told: a user name has no colon"
    return Proxy(url=f"{parts.scheme}://{bare}", headers=login)


def _login(parts: SplitResult) -> dict[str, str] | None:
    """Return the header that tells a proxy the login in its URL; None if no header can."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user and not password:
        return {}
    if ":" in user:
        return None
    return {"Proxy-Authorization": Secret(aiohttp.encode_basic_auth(user, password, "utf-8"))}


# ---- The moment at which a whole call must have ended, for what waits without sending anything.


class WaitedTooLongError(TransportTimeoutError):
    """The deadline came before anything was sent."""


@asynccontextmanager
async def no_later(until: float | None) -> AsyncGenerator[None]:
    """Wait inside, but not beyond a moment on the monotonic clock; None for no such moment.

    Raises:
        WaitedTooLongError: It has come.
    """
    try:
        async with asyncio.timeout(None if until is None else max(0.0, until - time.monotonic())):
            yield
    except TransportTimeoutError:  # of what happened inside
        raise
    except TimeoutError as error:
        raise WaitedTooLongError("the deadline came while the call had to wait for others") from error


# ---- How long silence is borne, with one timer for all that is under way on a loop.
#
# A timer per request, moved with each sign of life, cost 20 of the 200 microseconds that a small call
# takes. Here a sign of life only notes a moment, and the one timer looks when the earliest has come.


class Watch:
    """The one timer of a loop. Moments are on the monotonic clock."""

    def __init__(self) -> None:
        self.watched: set[Patience] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looks = math.inf

    def by(self, moment: float) -> None:
        """Look at this moment at the latest. The timer is left to run out when nothing is under way any more."""
        if moment < self._looks:
            if self._timer is not None:
                self._timer.cancel()
            self._looks = moment
            self._timer = asyncio.get_running_loop().call_later(moment - time.monotonic(), self._look)

    def _look(self) -> None:
        self._timer, self._looks = None, math.inf
        now = time.monotonic()
        for patience in self.watched.copy():
            if patience.due <= now:
                patience.end()
        self.by(min((patience.due for patience in self.watched), default=math.inf))


class Patience:
    """``with`` it: TimeoutError inside, once its moment has passed. The moment may be moved all the time.

    It cancels and takes back as asyncio.timeout does, whose async context manager costs three times as much.
    """

    def __init__(self, watch: Watch, due: float = math.inf) -> None:
        self.due = due
        self._watch = watch
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._ended = False

    def __enter__(self) -> Self:
        task = self._task = asyncio.current_task()
        self._cancelling = 0 if task is None else task.cancelling()
        self._watch.watched.add(self)
        self._watch.by(self.due)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.watched.discard(self)
        if self._ended and self._task is not None:
            ours = self._task.uncancel() <= self._cancelling
            if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
                raise TimeoutError from error

    def until(self, moment: float) -> None:
        """Bear silence until then."""
        self.due = moment
        self._watch.by(moment)

    def end(self) -> None:
        """Bear it no longer."""
        self._watch.watched.discard(self)
        self._ended = True
        if self._task is not None:
            self._task.cancel()


# ---- aiohttp sessions: one for each running loop and process, made when first needed.

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
