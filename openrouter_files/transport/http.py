"""Sends one request and reads its response."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from functools import cache, cached_property
from http import HTTPStatus
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError
from attrs import define, evolve, field, frozen
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ..errors import FilesError, InvalidResponseError, TransportError, TransportTimeoutError
from ..local.threads import ended
from ..options import Options
from ..protocol import failures as statuses
from ..protocol.requests import BYTES, Request
from .body import Body, Document, Piece, slices
from .key import Key
from .rate_limit import RateLimit
from .session import Patience, Proxy, Room, Sessions, Watch, check_environment_of, proxy_from_environment

# ---- What a request says about its sender and itself.

# Also told to a storage link on another host; the rest is nobody else's business.
_FOR_ANYONE = frozenset({"user-agent"})

# What aiohttp always reads.
_ENCODINGS = "gzip, deflate"


class Headers:
    """The headers of one client's requests."""

    def __init__(self, standing: Mapping[str, str], key: Key) -> None:
        self._key = key
        self._standing = CIMultiDict(standing)
        self._anonymous = CIMultiDict({k: v for k, v in standing.items() if k.lower() in _FOR_ANYONE})

    async def own(self, request: Request, options: Options) -> CIMultiDict[str]:
        """Return what is said to the API itself."""
        headers = _asking(request, self._standing.copy())
        headers.update(options.headers)
        headers["Authorization"] = await self._key.bearer()
        return headers

    def hide(self, data: bytes) -> bytes:
        """Return what a server said without the key."""
        return self._key.hide(data)

    def anonymous(self, request: Request) -> CIMultiDict[str]:
        """Return what is said to another host."""
        return _asking(request, self._anonymous.copy())


def _asking(request: Request, headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Add what a request wants to the headers that every request has."""
    headers["Accept"] = request.accept
    headers["Accept-Encoding"] = "identity" if request.accept == BYTES else _ENCODINGS  # so that lengths compare
    headers.update(request.headers)
    return headers


# ---- Where a redirect may lead: the key and the file never reach another host.

MOST_REDIRECTS = 5

_ANY_METHOD = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})
_ONLY_GET = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER})
_PORTS = {"http": 80, "https": 443}


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, _PORTS.get(parts.scheme) if parts.port is None else parts.port


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _origin(parts)  # an unreadable port raises here
    except ValueError:
        return None
    return parts


def _escaped(location: str) -> str:
    """Return a Location that can be asked for: bytes that no URL holds are percent-encoded as they came.

    aiohttp reads the bytes of a header as UTF-8, with half characters for what is none.
    """
    data = location.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}" for byte in data)


def _joined(url: str, location: str) -> str:
    try:
        location = _escaped(location)
        return urljoin(url, location).partition("#")[0]
    except ValueError:
        return ""


def onward(method: str, url: str, status: int, location: str | None, *, content: bool) -> tuple[str, bool] | None:
    """Return where to go instead and whether it is the same origin; None not to follow.

    An upload is never sent on, all else only within the origin, but the content of a file also to
    another https origin (a storage link), then without the key: another host could make up a listing.

    Source: RFC 9110, 15.4.
    """
    if not location or not (status in _ANY_METHOD or (status in _ONLY_GET and method == "GET")):
        return None
    target = _joined(url, location)
    here, there = _parts(url), _parts(target)
    if method == "POST" or here is None or there is None or "@" in there.netloc or "%" in there.netloc:
        return None
    same = _origin(here) == _origin(there)
    storage_link = content and method == "GET" and there.scheme == "https" and bool(there.hostname)
    return (target, same) if same or storage_link else None


# ---- What went wrong on the way, in our words. Called around awaits, never around a yield.

_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())

# What aiohttp and the sockets below it raise. TimeoutError is an OSError, too.
FAILURES = (aiohttp.ClientError, OSError, asyncio.IncompleteReadError)
# aiohttp's reader, when the connection went away below it: "Connection closed."
READING_FAILURES = (*FAILURES, RuntimeError)


def _reason(error: BaseException) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _in_words(error: BaseException) -> str:
    match error:
        case Broken(__cause__=BaseException() as cause):
            return _in_words(cause)
        case RuntimeError():
            return "the connection broke while the answer was read"
        case aiohttp.ClientConnectorCertificateError():
            return f"the TLS certificate of {error.host} was refused: {error.certificate_error}"
        case aiohttp.ClientProxyConnectionError():
            return f"cannot reach the proxy: {_reason(error)}"
        case aiohttp.ClientConnectorError():
            return f"cannot connect to {error.host}:{error.port}: {_reason(error)}"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status} {error.message}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without a complete answer"
        case aiohttp.ClientPayloadError():
            return "the answer was cut short or is damaged"
        case aiohttp.ClientResponseError():
            return f"the answer is not readable HTTP: {error.message.splitlines()[0] if error.message else ''}"
        case _:
            return f"the connection broke: {_reason(error)}"


class Broken(aiohttp.ClientError):
    """A connection that broke, in a coat that aiohttp does not answer with a request of its own."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send once, whatever happens: a middleware of aiohttp's, which else repeats GET and DELETE by itself.

    That is welcome when a kept connection turns out to be closed, but not when one request was asked for.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Broken from error


def never_connected(error: BaseException) -> bool:
    """Whether the failure came before the first byte of a request could be sent."""
    return isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.ClientHttpProxyError
    )


def translated(error: BaseException, *, during: str) -> TransportError:
    """Return our error for one of FAILURES; ``during`` says what was going on."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TransportTimeoutError(f"{during}: no connection in time")
    if isinstance(error, TimeoutError):
        return TransportTimeoutError(f"{during}: no complete answer in time")
    return TransportError(f"{during}: {_in_words(error)}")


def sanitised(error: BaseException) -> BaseException:
    """Return the error as a cause that may be shown: without our headers, and so without the key.

    Its way through aiohttp is forgotten: the locals of those frames hold what was sent. aiohttp keeps
    the whole request in some of its errors, what it could not read in others (a server may send the
    key back), and Python keeps errors in each other.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        inner = todo.pop()
        if inner is None or id(inner) in seen:
            continue
        seen.add(id(inner))
        todo += [inner.__cause__, inner.__context__]
        inner.__traceback__ = None
        if isinstance(inner, aiohttp.ClientResponseError):
            asked = inner.request_info
            inner.request_info = aiohttp.RequestInfo(asked.url, asked.method, _NO_HEADERS, asked.real_url)
            inner.args, inner.history, inner.headers = (inner.request_info, ()), (), None
        if isinstance(inner, aiohttp.ClientResponseError | HttpProcessingError):
            inner.message = inner.message.partition("\n")[0]
        if isinstance(inner, HttpProcessingError):
            inner.args = (inner.message,)
    return error


# ---- What answered the attempt under way: noted where the answer is read, told where the attempt ends.


@define
class Answered:
    """The last answer of an attempt: None while there is none."""

    status: int | None = None
    request_id: str | None = None


# The attempt is the caller's, several calls up; what lies between need not know that somebody listens.
_under_way: ContextVar[Answered | None] = ContextVar("openrouter_files_answered", default=None)


def note(status: int, headers: Mapping[str, str]) -> None:
    """Tell the attempt under way what answered it, if somebody wants to know."""
    answered = _under_way.get()
    if answered is not None:
        answered.status = status
        answered.request_id = statuses.request_id(headers)


@contextmanager
def listening() -> Generator[Answered]:
    """Hear what answers the attempt that is made meanwhile."""
    before, answered = _under_way.get(), Answered()
    _under_way.set(answered)
    try:
        yield answered
    finally:
        _under_way.set(before)  # no token: a coroutine that is thrown away ends in another context


# ---- One request under way: how long it may be silent, and how much of it has escaped.


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


# ---- One answer: status and headers now, its bytes when asked.

# Of what a bad answer says, in bytes; what comes after is not read.
_MOST_OF_AN_ERROR = 1024 * 1024


def is_good(status: int) -> bool:
    """Whether an answer is what was asked for."""
    return 200 <= status < 300


class Answer:
    """An answer whose head has arrived; hold it no longer than needed, then ``close`` it.

    Attributes:
        status: The HTTP status.
        headers: Names are case-insensitive.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, *, idle: float | None, watch: Watch, done: Callable[[], None]
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._idle = math.inf if idle is None else idle
        self._watch = watch
        self._done: Callable[[], None] | None = done

    @property
    def url(self) -> str:
        """Where it came from in the end."""
        return str(self._response.url)

    @property
    def is_good(self) -> bool:
        """Whether it is what was asked for."""
        return is_good(self.status)

    @property
    def length(self) -> int | None:
        """Bytes that the body has on the wire, as promised; None if nothing was."""
        length = self.headers.get("Content-Length")
        return None if length is None else int(length)

    @property
    def encoding(self) -> str | None:
        """How the body is compressed; None if it is not."""
        told = ",".join(self._response.headers.getall("Content-Encoding", ())).strip()
        return None if told.lower() in {"identity", ""} else told

    @cached_property
    def is_chunked(self) -> bool:
        """Whether the server cut the body into chunks of its own."""
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    @property
    def is_delimited(self) -> bool:
        """Whether its end can be told from a broken connection."""
        return self.length is not None or self.is_chunked

    @property
    def proves_whole(self) -> bool:
        """Whether a body that ends well is the whole file: not that of a part."""
        return self.is_delimited and self.status != 206

    def close(self) -> None:
        """Give the connection back, or break it if the answer was not read to its end."""
        done, self._done = self._done, None
        if done is not None:
            self._response.release()
            done()

    async def read(self, most: int) -> bytes:
        """Read a whole answer that is not a file, and close it; of a bad one, the first MiB is enough.

        Raises:
            InvalidResponseError: A good answer is longer than ``most`` bytes, as told or, unpacked, as sent.
        """
        most = most if self.is_good else _MOST_OF_AN_ERROR
        body = bytearray()
        try:
            content = self._response.content
            self._check_length(self.length or 0, most)
            while len(body) <= most:
                body += await content.readany()
                self._check_length(len(body), most)
                if content.at_eof():
                    break
            return bytes(body[:most])
        except READING_FAILURES as error:
            raise self._translated(error) from sanitised(error)
        finally:
            self.close()
            body.clear()  # a server may have sent the key back, and tools show what is left here of an error

    def _check_length(self, length: int, most: int) -> None:
        if self.is_good and length > most:
            raise InvalidResponseError([f"longer than {most} bytes @ $"])

    async def explanation(self, seconds: float | None, until: float | None) -> bytes:
        """Read what a bad answer says, if it comes in time: its status is enough. Close it."""
        try:
            with Patience(self._watch, _earlier(math.inf if seconds is None else seconds, until)):
                return await self.read(_MOST_OF_AN_ERROR)
        except (FilesError, TimeoutError):
            return b""

    async def next(self, until: float | None = None) -> bytes:
        """Return what has arrived of a file, nothing at its end.

        Silence beyond the idle timeout is an error, and so is the deadline of the call.
        """
        try:
            with Patience(self._watch, _earlier(self._idle, until)):
                return await self._some()
        except READING_FAILURES as error:
            raise self._translated(error) from sanitised(error)

    async def _some(self) -> bytes:
        """Return what was received at once, nothing at the end; chunks, which may be small, together.

        To join what was received while the last was written is to copy a third of a file: a download of 100 MiB
        takes 5 % less time without, over TLS 7 %.
        """
        content = self._response.content
        return await content.readany() if self.is_chunked else (await content.readchunk())[0]

    def _translated(self, error: BaseException) -> Exception:
        return translated(error, during=f"{self._response.method} {self._response.url.path}")


def _earlier(seconds: float, until: float | None) -> float:
    """Return the moment in so many seconds, or another if that comes first."""
    moment = time.monotonic() + seconds
    return moment if until is None else min(moment, until)


# ---- One request and its answer over a session.


@frozen(kw_only=True, slots=False)  # as Request
class Reply:
    """A whole answer.

    Attributes:
        sends: How often the request went out: aiohttp repeats GET and DELETE by itself when a
            kept connection turns out to be closed.
        hide: Takes the key out of what the server said, before an error repeats it.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)  # a server may have sent the key back
    body: bytes = field(repr=False)
    sends: int
    hide: Callable[[bytes], bytes]


class Transport:
    """Sends requests to one base URL with one key."""

    def __init__(
        self, *, base_url: str, key: Key, headers: Mapping[str, str], sessions: Sessions, trust_env: bool
    ) -> None:
        self.base_url = base_url
        self._headers = Headers(headers, key)
        self.hide = self._headers.hide
        self._sessions = sessions
        self.rate_limit = RateLimit()
        self._proxied = trust_env and sessions.ours
        self._proxies: dict[str, Proxy | None] = {}
        self._proxy(base_url)  # refused now, not in the middle of a job
        if sessions.given is not None:
            check_environment_of(sessions.given, base_url)

    async def aclose(self) -> None:
        """Close the session of the running loop, if it is ours."""
        await self._sessions.close()

    async def fetch(
        self,
        request: Request,
        options: Options,
        *,
        body: Body | Document | None = None,
        until: float | None = None,
        fresh: bool = False,
    ) -> Reply:
        """Send a request and read its answer whole; for all that is not a file.

        Args:
            request: What to send.
            options: Of the call.
            body: For an upload or a question.
            until: When to give up at the latest, on the monotonic clock; None for no such time.
            fresh: Whether to take a new connection, none that was kept: what broke one may have broken all of them.
                A session of the caller's does as it always does.
        """
        room = await self._sessions.room()
        if not fresh or not self._sessions.ours:
            return await self._fetch(room, request, options, body, until)
        async with self._sessions.make(force_close=True) as session:
            return await self._fetch(evolve(room, session=session), request, options, body, until)

    async def _fetch(
        self, room: Room, request: Request, options: Options, body: Body | Document | None, until: float | None
    ) -> Reply:
        flight = Flight(request, options, body, until, room.watch)
        answer: Answer | None = None
        await room.enter(until)
        try:
            with flight.patience:
                answer = await self._send(room, flight, options, _nothing)
                data = await answer.read(request.most_bytes)
            return self._reply(answer, data, flight)
        except (FilesError, *FAILURES) as error:
            if answer is not None and not answer.is_good:  # what it says is cut off or late: its status is enough
                return self._reply(answer, b"", flight)
            blamed = flight.blame(error)
            flight.abort()
            raise blamed from (error.__cause__ if blamed is error else sanitised(error))
        except BaseException:
            flight.abort()
            raise
        finally:
            try:
                if body is not None:
                    await flight.land()
            finally:
                room.slots.release()

    def _reply(self, answer: Answer, body: bytes, flight: Flight) -> Reply:
        return Reply(status=answer.status, headers=answer.headers, body=body, sends=flight.sends, hide=self.hide)

    async def open(
        self, request: Request, options: Options, *, body: Document | None = None, until: float | None = None
    ) -> Answer:
        """Send a request and read the head of its answer; the caller closes it."""
        room = await self._sessions.room()
        flight = Flight(request, options, body, until, room.watch)
        await room.begin_stream(until)
        try:
            with flight.patience:
                return await self._send(room, flight, options, room.end_stream)
        except BaseException as error:
            flight.abort()
            room.end_stream()
            if isinstance(error, FAILURES):
                raise flight.blame(error) from sanitised(error)
            raise

    async def _send(self, room: Room, flight: Flight, options: Options, done: Callable[[], None]) -> Answer:
        """Send, and send again where a redirect leads that may be followed."""
        request = flight.request
        url, ours = self.base_url + request.target, True
        response = await self._request(room, flight, url, await self._headers.own(request, options))
        for _ in range(MOST_REDIRECTS):
            location, content = response.headers.get("Location"), request.accept == BYTES
            step = onward(request.method, url, response.status, location, content=content)
            if step is None or (not step[1] and self._sessions.has_secrets):
                break
            response.release()
            url, same = step
            ours = ours and same
            headers = await self._headers.own(request, options) if ours else self._headers.anonymous(request)
            response = await self._request(room, flight, url, headers)
        return Answer(response, idle=options.timeouts.idle, watch=room.watch, done=done)

    async def _request(self, room: Room, flight: Flight, url: str, headers: CIMultiDict[str]) -> aiohttp.ClientResponse:
        """Send once, saying all that we need: the session may be the caller's, with habits of its own."""
        headers.update(flight.body_headers)
        proxy = self._proxy(url)
        if proxy is not None and url.startswith("http:"):
            headers.update(proxy.headers)  # nothing is tunnelled: the proxy reads the request itself
        try:
            return await room.session.request(
                flight.request.method,
                URL(url, encoded=True),
                headers=headers,
                data=flight.payload,
                allow_redirects=False,
                raise_for_status=False,
                timeout=flight.begin(),
                trace_request_ctx=flight.connected,
                auto_decompress=True,
                read_bufsize=room.read_buffer,
                proxy=proxy.url if proxy else None,
                proxy_headers=proxy.headers if proxy else None,
                upload_tracker=flight.tracker_of_the_next(),
                middlewares=(once,) if flight.single and self._sessions.ours else None,
            )
        except ValueError as error:
            if not str(error).startswith("Cannot combine AUTHORIZATION header"):
                raise
        raise ValueError(
            "the session passed in has a login of its own for this host (auth=, or a .netrc with trust_env=True), "
            "which aiohttp does not send beside an API key: pass in a session without"
        )

    def _proxy(self, url: str) -> Proxy | None:
        if not self._proxied:
            return None
        origin = url.partition("://")[0] + "://" + url.partition("://")[2].partition("/")[0]
        if origin not in self._proxies:
            self._proxies[origin] = proxy_from_environment(url)
        return self._proxies[origin]


def _nothing() -> None:
    """What there is to do when an answer that was read whole is closed."""
