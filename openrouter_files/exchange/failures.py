"""What went wrong on the way, in our words. Called around awaits, never around a yield."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from ..errors import TransportError, TransportTimeoutError

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
