"""One call: attempts until one sticks."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..contract import statuses
from ..errors import APIError, FilesError, InvalidResponseError, TransportError
from .retry import repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import TypeAlias

    from ..contract.requests import Operation, Request
    from ..options import Options
    from .answer import Answer
    from .body import Body
    from .transport import Reply, Transport

    OpenBody: TypeAlias = Callable[[], AbstractAsyncContextManager[Body]]

T = TypeVar("T")


def is_good(status: int) -> bool:
    """Whether an answer is one to read."""
    return 200 <= status < 300


def worth_repeating(request: Request, options: Options, error: FilesError) -> bool:
    """Whether nothing of a failed attempt reached the other side for good, and the next may fare better.

    Source: RFC 9110, 9.2.2: only what is idempotent may be repeated when nobody knows whether it was done.
    """
    safe = request.idempotent or not error.maybe_processed or options.retry.ambiguous == "repeat"
    if isinstance(error, APIError):
        return safe and statuses.decisive(error.status, error.code) in options.retry.statuses
    return safe and isinstance(error, TransportError)


def failure(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> APIError:
    """Return the error that a bad answer means, with what is known about the request."""
    error = statuses.error(status, headers, body, time.time())
    error.request = (request.method, request.path)
    error.maybe_processed = request.method != "GET" and statuses.decisive(status, error.code) >= 500
    return error


def read(operation: Operation[T], reply: Reply) -> T:
    """Read a reply as the operation does, or raise what it means."""
    request = operation.request
    if not is_good(reply.status):
        raise failure(request, reply.status, reply.headers, reply.body)
    try:
        return operation.read(reply.body)
    except InvalidResponseError as error:
        error.request = (request.method, request.path)
        error.maybe_processed = request.method != "GET"
        raise


async def fetch(
    transport: Transport, operation: Operation[T], options: Options, open_body: OpenBody | None = None
) -> T:
    """Carry out an operation; ``open_body`` makes a fresh body for each attempt."""
    request = operation.request

    async def attempt() -> T:
        if open_body is None:
            return read(operation, await transport.fetch(request, options))
        async with open_body() as body:
            return read(operation, await transport.fetch(request, options, body))

    return await repeat(attempt, options.retry, worth=partial(worth_repeating, request, options), what=name(request))


async def open_stream(transport: Transport, request: Request, options: Options) -> Answer:
    """Open the answer to a request that is read piece by piece; the caller closes it."""

    async def attempt() -> Answer:
        answer = await transport.open(request, options)
        if is_good(answer.status):
            return answer
        raise failure(request, answer.status, answer.headers, await answer.read())

    return await repeat(attempt, options.retry, worth=partial(worth_repeating, request, options), what=name(request))


def name(request: Request) -> str:
    """Return what a request is called in the log."""
    return f"{request.method} {request.path}"
