"""Decides when to try again, and after how long."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from functools import partial
from typing import TypeAlias, TypeVar

import backoff
from multidict import CIMultiDict

from ..errors import APIError, FilesError, InvalidResponseError, TransportError
from ..events import AttemptEnded, EventCallback, RetryScheduled
from ..options import Options, RetryPolicy, tell
from ..protocol import failures as statuses
from ..protocol.requests import Operation, Request
from .body import Document
from .http import Answer, Reply, Transport, is_good, listening, note
from .rate_limit import Caller, NoTurn, is_refusal
from .session import WaitedTooLongError

# ---- When to try again, after how long. The only user of backoff.

T = TypeVar("T")

Attempt: TypeAlias = "Callable[[Caller], Awaitable[T]]"

_log = logging.getLogger("openrouter_files")


def _asked_for(error: FilesError) -> float:
    return (error.retry_after or 0.0) if isinstance(error, APIError) else 0.0


def _told(what: str, error: FilesError) -> str:
    text = str(error)
    return text if text.startswith(what) else f"{what}: {text}"


def _facts(error: FilesError) -> dict[str, str | int | None]:
    """What a line of the log carries about an error, for machines."""
    status, request_id = (error.status, error.request_id) if isinstance(error, APIError) else (None, None)
    name = type(error).__name__
    return {"openrouter_error": name, "openrouter_status": status, "openrouter_request_id": request_id}


class _Course:
    """The attempts of one call."""

    def __init__(
        self,
        policy: RetryPolicy,
        worth: Callable[[FilesError], bool],
        what: str,
        tell: EventCallback | None,
        until: float | None,
    ) -> None:
        self._policy = policy
        self._worth = worth
        self._what = what
        self._tell = tell
        self._began = time.monotonic()  # backoff's own clock is the wall's, which jumps
        until = self._began + policy.deadline if until is None and policy.deadline is not None else until
        self._caller = Caller(attempts=policy.attempts, max_delay=policy.max_delay, until=until)
        self._wait = 0.0
        self._judged = False
        self.failed = 0

    def refuses(self, error: FilesError) -> bool:
        """Whether the call ends with this error; if not, how long to wait is settled here."""
        self.failed += not isinstance(error, WaitedTooLongError)  # which sent nothing
        asked, refusal = _asked_for(error), is_refusal(error)
        self._caller.met = error if refusal and isinstance(error, APIError) else None
        self._caller.refusals += refusal
        if self.failed >= self._policy.attempts or asked > self._policy.max_delay or not self._worth(error):
            return True
        # What a refusal asks for needs no jitter: the rate limit lets one after the other through.
        self._wait = asked + (0 if refusal and asked else random.uniform(0, self._backoff()))  # noqa: S311  # no secret
        return self._late()

    def refused_again(self, error: Exception) -> bool:
        """Like ``refuses``, but lets the first error pass, which was judged before backoff saw it."""
        first, self._judged = not self._judged, True
        return not first and not (isinstance(error, FilesError) and not self.refuses(error))

    def waits(self) -> Generator[float, FilesError | None, None]:
        """Yield the wait that was settled; the first yield only primes the generator."""
        error = yield 0.0
        while True:
            if error is not None:
                self._tell_of_the_next(error)
            error = yield self._wait

    async def run(self, attempt: Attempt[T]) -> T:
        """Carry out one attempt; whoever listens hears how it went."""
        if self._tell is None:
            return await attempt(self._caller)
        return await self._run_and_tell(attempt, self._tell)

    def gave_up(self, error: FilesError) -> None:
        """Say on the error itself how much was tried."""
        error.attempts = self.failed
        if self.failed > 1:
            spent = time.monotonic() - self._began
            error.add_note(f"gave up after {self.failed} attempts in {spent:.1f} s")

    async def _run_and_tell(self, attempt: Attempt[T], listener: EventCallback) -> T:
        began, start, error = time.time(), time.monotonic(), None
        with listening() as answered:
            try:
                return await attempt(self._caller)
            except BaseException as caught:
                error = caught
                raise
            finally:
                ended = AttemptEnded(
                    call=self._what,
                    attempt=self.failed + 1,
                    began=began,
                    seconds=time.monotonic() - start,
                    status=answered.status,
                    request_id=answered.request_id,
                    error=error if isinstance(error, Exception) else None,
                    cancelled=error is not None and not isinstance(error, Exception),
                )
                if not isinstance(error, NoTurn):  # else nothing was sent, and so nothing ended
                    tell("on_event", listener, ended)

    def _tell_of_the_next(self, error: FilesError) -> None:
        attempt, most = self.failed + 1, self._policy.attempts
        counts = {"openrouter_attempt": attempt, "openrouter_attempts": most, "openrouter_wait": self._wait}
        _log.info(
            "%s; trying again in %.2f s (attempt %d of %d)",
            *(_told(self._what, error), self._wait, attempt, most),
            extra={"openrouter_call": self._what, **counts, **_facts(error)},
        )
        if self._tell is not None:
            tell("on_event", self._tell, RetryScheduled(call=self._what, attempt=attempt, wait=self._wait, error=error))

    def _backoff(self) -> float:
        # An exponent beyond 63 is a delay beyond all bounds, and at last an OverflowError.
        return min(self._policy.max_delay, self._policy.first_delay * 2.0 ** min(self.failed - 1, 63))

    def _late(self) -> bool:
        return self._caller.until is not None and time.monotonic() + self._wait > self._caller.until


async def repeat(
    attempt: Attempt[T],
    policy: RetryPolicy,
    *,
    worth: Callable[[FilesError], bool],
    what: str,
    tell: EventCallback | None = None,
    after: FilesError | None = None,
    until: float | None = None,
) -> T:
    """Run attempts until one sticks; the last error comes through as it is, with a note.

    Args:
        attempt: Starts over each time it is called; told when the call must have ended.
        policy: How often, how soon, until when.
        worth: Whether an error may be answered by another attempt at all.
        what: Names the call in the log.
        tell: Hears of each attempt and retry.
        after: The failure of an attempt that was made already; None for a call that begins.
        until: When all must have ended, if it began before; None takes the deadline of the policy from now on.
    """
    course = _Course(policy, worth, what, tell, until)
    try:
        return await _run(attempt, course, after)
    except NoTurn as end:
        unsent = end.error
    course.gave_up(unsent)
    raise unsent


async def _run(attempt: Attempt[T], course: _Course, after: FilesError | None) -> T:
    try:
        if after is not None:
            raise after
        return await course.run(attempt)
    except FilesError as error:
        if course.refuses(error):
            course.gave_up(error)
            raise
        first = error
    return await _again(attempt, course, first)


async def _again(attempt: Attempt[T], course: _Course, first: FilesError) -> T:
    """Go on after a first failure. A call that succeeds at once, as most do, never comes here."""
    met = [first]

    # An async def, not a lambda: backoff looks at the function to know whether to await it. Its
    # max_tries stays unused because the first attempt was not its own; jitter and max_time because
    # they would cut what the server asked for.
    @backoff.on_exception(course.waits, FilesError, jitter=None, giveup=course.refused_again, logger=None)
    async def next_attempt() -> T:
        if met:
            raise met.pop()
        return await course.run(attempt)

    try:
        return await next_attempt()
    except FilesError as error:
        course.gave_up(error)
        raise


# ---- One call: attempts until one sticks.

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
