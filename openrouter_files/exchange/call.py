"""One call: attempts until one sticks."""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from multidict import CIMultiDict

from ..contract import statuses
from ..errors import APIError, FilesError, InvalidResponseError, TransportError
from .answer import is_good
from .answered import note
from .retry import repeat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from ..contract.requests import Operation, Request
    from ..options import Options
    from .answer import Answer
    from .body import Document
    from .rate_limit import Caller
    from .transport import Reply, Transport

T = TypeVar("T")
Hide: TypeAlias = "Callable[[bytes], bytes]"

# Characters of what is told of one value, which may have a million; cut where no part of a key can be left.
_LONGEST_PROBLEM = 1000

# Bytes of JSON that take about a millisecond.
_LONG = 64 * 1024


def worth_repeating(request: Request, options: Options, error: FilesError) -> bool:
    """Whether nothing of a failed attempt reached the other side for good, and the next may fare better.

    Source: RFC 9110, 9.2.2: only what is idempotent may be repeated when nobody knows whether it was done.
    """
    safe = request.idempotent or not error.maybe_processed or options.retry.ambiguous == "repeat"
    if isinstance(error, APIError):
        return safe and statuses.decisive(error.status, error.code) in options.retry.statuses
    # A certificate that was refused will be refused again.
    return safe and isinstance(error, TransportError) and not isinstance(error.__cause__, ssl.CertificateError)


def failure(request: Request, status: int, headers: Mapping[str, str], body: bytes, hide: Hide) -> APIError:
    """Return the error that a bad answer means, with what is known about the request, and without the key."""
    said = {name: _hidden(value, hide) for name, value in headers.items()}
    error = statuses.error(status, CIMultiDict(said), hide(body), time.time())
    error.request = (request.method, request.path)
    error.maybe_processed = request.method != "GET" and statuses.may_have_worked(status, error.code)
    return error


def _check(request: Request, reply: Reply) -> None:
    note(reply.status, reply.headers)
    if not is_good(reply.status):
        raise failure(request, reply.status, reply.headers, reply.body, reply.hide)


def _hidden(text: str, hide: Hide) -> str:
    return hide(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def without_the_key(request: Request, unreadable: InvalidResponseError, hide: Hide) -> InvalidResponseError:
    """Return an error anew, without the key: what it came of, which holds the answer, is left behind."""
    problems = [_hidden(problem, hide)[:_LONGEST_PROBLEM] for problem in unreadable.problems]
    error = InvalidResponseError(problems, hide(unreadable.body))
    error.request = (request.method, request.path)
    error.maybe_processed = request.method != "GET"
    return error


def read(operation: Operation[T], reply: Reply) -> T:
    """Read a reply as the operation does, or raise what it means."""
    _check(operation.request, reply)
    try:
        return operation.read(reply.body)
    except InvalidResponseError as error:
        told = without_the_key(operation.request, error, reply.hide)
    raise told  # here, where Python does not keep the other with it


async def _read_in_turns(request: Request, in_steps: Callable[[bytes], Generator[None, None, T]], reply: Reply) -> T:
    """Read a long reply likewise, and let others have their turn in between."""
    _check(request, reply)
    steps = in_steps(reply.body)
    try:
        while True:
            next(steps)
            await asyncio.sleep(0)
    except StopIteration as end:
        result: T = end.value
        return result
    except InvalidResponseError as error:
        told = without_the_key(request, error, reply.hide)
    raise told


async def in_turn(transport: Transport, caller: Caller, exchange: Callable[[], Awaitable[T]]) -> T:
    """Carry out one exchange when its turn comes, and let the rate limit know how it went."""
    limit = transport.rate_limit
    admitted = await limit.acquire(caller)
    try:
        result = await exchange()
    except APIError as error:
        limit.refused(error, admitted, time.monotonic())
        raise
    limit.passed(admitted, time.monotonic())
    return result


async def fetch(
    transport: Transport,
    operation: Operation[T],
    options: Options,
    *,
    body: Document | None = None,
    witness: Callable[[Reply], object] | None = None,
) -> T:
    """Carry out an operation; ``witness`` sees the good answer as it came."""
    request = operation.request

    async def attempt(caller: Caller) -> T:
        async def exchange() -> T:
            reply = await transport.fetch(request, options, body=body, until=caller.until)
            if operation.in_steps is None or len(reply.body) < _LONG:
                result = read(operation, reply)
            else:
                result = await _read_in_turns(request, operation.in_steps, reply)
            if witness is not None:
                witness(reply)
            return result

        return await in_turn(transport, caller, exchange)

    return await repeat(
        attempt,
        options.retry,
        worth=partial(worth_repeating, request, options),
        what=name(request),
        tell=options.on_event,
    )


async def open_once(
    transport: Transport, request: Request, options: Options, caller: Caller, body: Document | None = None
) -> Answer:
    """Open an answer that is read piece by piece, or raise what a bad status means; the caller closes it."""

    async def exchange() -> Answer:
        answer = await transport.open(request, options, body=body, until=caller.until)
        note(answer.status, answer.headers)
        if answer.is_good:
            return answer
        said = transport.hide(await answer.explanation(options.timeouts.answer, caller.until))
        raise failure(request, answer.status, answer.headers, said, transport.hide)

    return await in_turn(transport, caller, exchange)


async def open_stream(transport: Transport, request: Request, options: Options, body: Document | None = None) -> Answer:
    """Open an answer that is read piece by piece, with as many attempts as it takes."""
    return await repeat(
        partial(open_once, transport, request, options, body=body),
        options.retry,
        worth=partial(worth_repeating, request, options),
        what=name(request),
        tell=options.on_event,
    )


def name(request: Request) -> str:
    """Return what a request is called in the log."""
    return f"{request.method} {request.path}"
