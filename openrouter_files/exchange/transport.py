"""One request and its answer over a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, field, frozen
from yarl import URL

from ..contract.requests import BYTES
from ..errors import FilesError
from .answer import Answer
from .failures import FAILURES, once, sanitised
from .flight import Flight
from .headers import Headers
from .proxies import Proxy, check_environment_of, proxy_from_environment
from .rate_limit import RateLimit
from .redirects import MOST_REDIRECTS, onward

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp
    from multidict import CIMultiDict

    from ..contract.requests import Request
    from ..options import Options
    from .body import Body, Document
    from .key import Key
    from .session import Room, Sessions


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
