"""When to try again, after how long. The only user of backoff."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import backoff

from ..errors import APIError, FilesError
from ..events import AttemptEnded, RetryScheduled
from ..given import tell
from .answered import listening
from .deadline import WaitedTooLongError
from .rate_limit import Caller, NoTurn, is_refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from ..events import EventCallback
    from ..options import RetryPolicy

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
