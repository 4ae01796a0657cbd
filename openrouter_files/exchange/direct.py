"""The short way of a small request: aiohttp's connections and its parser, without its session's request.

On the way through ``ClientSession.request`` a URL, two tables of headers, a request, a payload, its writer,
a task, a tracker and a response are made: half of the time that a small call takes. Here the request is one
string and one write. Whatever is not small or not plain goes the long way: see Transport.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http import HttpProcessingError
from attrs import define, frozen
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.connector import Connection
    from aiohttp.http import RawResponseMessage
    from aiohttp.streams import StreamReader

    from .flight import Flight

# Nobody promises how connections and parser work together; this is where it was tried.
_KNOWN = aiohttp.__version__.startswith("3.14.")

_CLOSED = aiohttp.ClientConnectionError("Connection closed")


@define(eq=False)
class Received:
    """An answer that came the short way: what Answer needs of aiohttp's response."""

    method: str
    _url: str
    status: int
    headers: Mapping[str, str]
    content: StreamReader
    _connection: Connection

    def __del__(self) -> None:
        self._connection.release()  # it may have been forgotten; aiohttp's response does the same

    @property
    def url(self) -> URL:
        """Where it came from."""
        return URL(self._url, encoded=True)

    def release(self) -> None:
        """Give the connection back; one that still brings an answer is closed, and its reader told."""
        if not self.content.is_eof():
            self.content.set_exception(_CLOSED)
        self._connection.release()


@frozen(eq=False)
class _Route:
    """Where the requests of one base URL go, and what they begin with."""

    base_url: str
    whom: aiohttp.ClientRequest
    prefix: str
    host: str

    @classmethod
    def to(cls, base_url: str) -> _Route:
        """Made on the loop that it is for."""
        whom = aiohttp.ClientRequest("GET", URL(base_url, encoded=True))
        return cls(base_url, whom, whom.url.raw_path.rstrip("/"), whom.headers["Host"])

    def head(self, method: str, url: str, lines: str) -> str:
        """Return the request line, and the lines that say to whom and from whom."""
        return f"{method} {self.prefix}{url[len(self.base_url) :]} HTTP/1.1\r\nHost: {self.host}\r\n{lines}"


class Direct:
    """The short way, over the connections of one session."""

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self._connector = connector
        self._routes: dict[str, _Route] = {}

    async def send(self, flight: Flight, base_url: str, url: str, lines: str, read_buffer: int) -> Received:
        """Send a request to a URL below the base URL, and read the head of its answer.

        What may be repeated is sent once more if the connection closes without an answer: one that
        was kept may have been closed long ago. On the long way aiohttp does so, too.
        """
        route = self._routes.get(base_url) or self._routes.setdefault(base_url, _Route.to(base_url))
        try:
            return await self._send(flight, route, url, lines, read_buffer)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            if flight.single or not flight.request.idempotent:
                raise
        return await self._send(flight, route, url, lines, read_buffer)

    async def _send(self, flight: Flight, route: _Route, url: str, lines: str, read_buffer: int) -> Received:
        method = flight.request.method
        connection = await self._connected(flight, route)
        try:
            message, content = await _exchanged(connection, flight, route.head(method, url, lines), read_buffer)
        except BaseException as error:
            connection.close()
            if isinstance(error, HttpProcessingError):
                raise _unreadable(error, route) from error
            raise
        return Received(method, url, message.code, message.headers, content, connection)

    async def _connected(self, flight: Flight, route: _Route) -> Connection:
        timeout = flight.connecting()
        try:
            connection = await self._connector.connect(route.whom, [], timeout)
            while connection.protocol is not None and connection.protocol.should_close:
                connection.close()  # something came that nobody had asked for: it is no answer to this
                connection = await self._connector.connect(route.whom, [], timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        flight.connected()
        return connection


async def _exchanged(
    connection: Connection, flight: Flight, head: str, read_buffer: int
) -> tuple[RawResponseMessage, StreamReader]:
    """Write a request at once, and read until the head of its answer has come."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection was closed before the request was sent")
    protocol.set_response_params(read_until_eof=True, read_bufsize=read_buffer)
    transport.write(flight.written(head))
    flight.sent()
    message, content = await protocol.read()
    while _is_interim(message.code):
        message, content = await protocol.read()
    return message, content


def _is_interim(status: int) -> bool:
    return status < 200 and status != 101


def _unreadable(error: HttpProcessingError, route: _Route) -> aiohttp.ClientResponseError:
    return aiohttp.ClientResponseError(route.whom.request_info, (), status=error.code, message=error.message)


def direct(connector: aiohttp.BaseConnector) -> Direct | None:
    """Return the short way over a connector; None if it is not known whether there is one."""
    return Direct(connector) if _KNOWN else None
