"""The pause that all calls of a client share after a 429."""

from __future__ import annotations

import asyncio
import math
import time
from bisect import insort
from collections import deque
from weakref import WeakKeyDictionary

from attrs import define, field

from ..errors import APIError
from ..protocol import failures as statuses

# Seconds, when the server does not say how long, or says 0, as a date in the past does: the limits of such APIs are
# per second at the least.
_PAUSE = 1.0
# A pause up to this is over before the others could be told; see ``_is_isolated``.
_SHORT = 0.1
# One refusal among so many successes of the last second says nothing about the rate.
_HEALTHY = 20
# Nobody is slower than this, per second, whatever happened; beyond the other there is nothing to pace.
_SLOWEST, _UNPACED = 0.25, 1000.0
# Right after a pause that was in vain, probes come at most so many per second.
_PROBES = 1.0
# Start a little below what was accepted: at the rate itself, half of the calls would come too early.
_CAUTION = 0.9
# Seconds of answers, and how many, from which it is measured what the server takes; 1,000 per second are not paced.
_WINDOW, _REMEMBERED = 10.0, 10_000
# So many answers within a pause are no accident; so many refusals at once neither.
_MANY, _CROWD, _GUESS = 10, 3, 10.0
# What was measured is believed for so many pauses and so many calls, but between these seconds.
_TRUST, _SHORTEST_TRUST, _LONGEST_TRUST = 5.0, 2.0, 20.0
# Seconds in which the rate doubles: up to what the server took before, and beyond it; there, one success adds little.
_BACK, _BEYOND, _STEP = 0.25, 1.0, 1.3
# One or two refusals do not bring the rate below this part of what it was.
_FALL = 0.65
# Who wakes up late may make up for so many seconds.
_LATENESS = 0.05
# After so many seconds without a refusal, nothing that was learnt counts any more.
_FORGOTTEN = 60.0
# How long, in seconds, who is first in line sleeps at most before looking again; and everybody else.
_GLANCE, _NAP = 0.1, 1.0


class NoTurn(Exception):  # noqa: N818  # not an error of its own: it carries one
    """A call ends while it waits, without having sent anything; ``error`` is what its caller is told."""

    def __init__(self, error: APIError) -> None:
        super().__init__(str(error))
        self.error = error


@define(eq=False)
class Caller:
    """What the rate limit needs to know of a call.

    Attributes:
        attempts: How many it has in all.
        max_delay: The longest pause that it bears, in seconds. Waiting in line does not count.
        until: When it must have ended, on the monotonic clock; None for never.
        met: The refusal that its last attempt met; None if it met none.
        refusals: How many refusals its attempts met in all.
        closings: How many pauses there had been when it first came.
    """

    attempts: int
    max_delay: float
    until: float | None = None
    met: APIError | None = None
    refusals: int = 0
    closings: int | None = None


def is_refusal(error: BaseException) -> bool:
    """Whether an error is a 429, or a 503 that says how long."""
    if not isinstance(error, APIError):
        return False
    declined = statuses.decisive(error.status, error.code)
    return declined == 429 or (declined == 503 and error.retry_after is not None)


class RateLimit:
    """What is known of the rate that a server takes; one per client and host.

    A state machine without a clock: ``now`` is the time of what happens, in seconds on the monotonic
    clock. Only ``acquire`` looks at the clock and sleeps.

    Attributes:
        rate: Calls per second that are let through after a refusal; infinite when nothing is paced.
    """

    def __init__(self) -> None:
        self.rate = math.inf
        self._why: APIError | None = None
        # The pause.
        self._closed_at = -math.inf
        self._opens = -math.inf
        self._asked_until = -math.inf
        self._closings = 0
        self._in_vain = 0  # pauses since the last success
        self._turned_away = 0
        # The rate.
        self._measure_from: float | None = None  # the rate is to be measured when the pause is over
        self._taken = math.inf  # what the server took before the last pause
        self._slower = 0.0  # when the rate was last lowered
        self._trust = 0.0
        self._grown_at = -math.inf
        self._last = -math.inf
        self._successes: deque[float] = deque(maxlen=_REMEMBERED)
        self._refusals: deque[float] = deque(maxlen=_REMEMBERED)
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Place]] = WeakKeyDictionary()

    # -- who may go, and when --------------------------------------------------------------------

    def turn(self, now: float) -> float:
        """Return when the next call may go, as far as is known now."""
        if now < self._opens:
            return self._opens
        if self._measure_from is not None:
            self._measure(self._measure_from, now)
        if now - self._opens > _FORGOTTEN:
            self._forget()
        if self._last < self._closed_at and self._in_vain < 2:  # an honest server takes one right after the pause
            return max(self._opens, self._last + 0.5 / self._taken)
        return max(self._opens, self._last + 1 / self.rate)

    def admit(self, now: float) -> None:
        """Note that a call goes. Who wakes up late counts as having come in time, within reason."""
        self._last = max(self.turn(now), now - _LATENESS)

    def gives_up(self, caller: Caller, now: float) -> APIError | None:
        """Return what ends a call that waits any longer; None if it may go on waiting."""
        why = caller.met or self._why
        if why is None:
            return None
        if caller.closings is None:
            caller.closings = self._closings
        met = min(self._closings - caller.closings, self._in_vain)
        left = max(self._asked_until, self._opens) - now
        late = caller.until is not None and max(now, self._opens) >= caller.until
        if not late and self._asked_until - now <= caller.max_delay and met < caller.attempts:
            return None
        if caller.met is not None:
            return caller.met
        message = f"the client is paused by an earlier answer: {why.message}"
        error = type(why)(message, status=why.status, code=why.code, retry_after=max(0.0, left), metadata=why.metadata)
        error.request, error.__cause__ = why.request, why
        return error

    # -- what came of it -------------------------------------------------------------------------

    def passed(self, admitted: float, now: float) -> None:
        """Note that the server accepted a call that was let through at ``admitted``."""
        self._successes.append(now)
        if admitted < self._closed_at or math.isinf(self.rate):  # says nothing about the time after the pause
            self._in_vain = 0 if admitted >= self._closed_at else self._in_vain
            return
        self._in_vain = 0
        if now >= self._opens and self._measure_from is None:
            self._grow(now)

    def refused(self, error: APIError, admitted: float, now: float) -> None:
        """Note that the server refused a call that was let through at ``admitted``."""
        if error is self._why or not is_refusal(error):  # it came here before, or is none
            return
        self._refusals.append(now)
        if self._is_isolated(error.retry_after, now):
            self._trust = max(self._trust, now - self._slower + _SHORTEST_TRUST)  # grow no faster for a while
            return
        self._why = error
        pause = error.retry_after or _PAUSE
        self._turned_away += 1
        if admitted >= self._closed_at:  # not one of the crowd that was under way when the first was refused
            self._begin_a_pause(now)
        self._opens = max(self._opens, now + pause)
        self._asked_until = max(self._asked_until, now + pause)

    def _is_isolated(self, asked: float | None, now: float) -> bool:
        if asked is not None and asked > _SHORT:
            return False
        return _since(self._successes, now - 1.0) >= _HEALTHY * _since(self._refusals, now - 1.0)

    def _begin_a_pause(self, now: float) -> None:
        self._turned_away = 1
        self._closings += 1
        self._in_vain += 1
        if self._measure_from is None:
            self._measure_from = max(self._opens, now - _WINDOW)
        self._closed_at = now

    # -- how fast --------------------------------------------------------------------------------

    def _measure(self, since: float, now: float) -> None:
        """Set the rate anew from what was accepted up to the end of the pause."""
        self._measure_from = None
        self._slower = self._grown_at = now
        pause = self._opens - self._closed_at
        count = _since(self._successes, since)
        if self._in_vain > 1 or not count:
            self.rate = max(_SLOWEST, min(self.rate / 2, _PROBES))
            return
        first = next(moment for moment in self._successes if moment >= since)
        start = since if since > now - _WINDOW else first
        taken = count / max(self._opens - start, _PAUSE)
        lately = _since(self._successes, self._closed_at - _PAUSE)
        if lately >= _MANY:  # they began not long ago, or the server takes more than it did
            taken = max(taken, lately / (pause + _PAUSE))
        if self._turned_away < _CROWD:  # one or two calls say little
            taken = max(taken, _GUESS if math.isinf(self.rate) else self.rate * _FALL)
        self._taken = taken
        self._trust = min(max(_TRUST * max(pause, 1 / taken), _SHORTEST_TRUST), _LONGEST_TRUST)
        self._set(_CAUTION * taken)

    def _grow(self, now: float) -> None:
        since, self._grown_at = now - self._grown_at, now
        if self.rate < _CAUTION * self._taken:  # after an outage: back to what it took before
            self._set(min(self.rate * 2 ** min(since / _BACK, 1), _CAUTION * self._taken))
        elif now - self._slower < self._trust:
            part = (now - self._slower) / self._trust
            self._set(max(self.rate, self._taken * (_CAUTION + (1 - _CAUTION) * part)))
        else:
            self._set(self.rate * min(2 ** min(since / _BEYOND, 1), _STEP))

    def _set(self, rate: float) -> None:
        self.rate = max(_SLOWEST, rate)
        if self.rate >= _UNPACED:
            self._forget()

    def _forget(self) -> None:
        self.rate = self._taken = math.inf
        self._why = None

    # -- waiting ---------------------------------------------------------------------------------

    async def acquire(self, caller: Caller) -> float:
        """Wait for a call's turn; return when it came.

        Raises:
            NoTurn: The call's policy ends the wait.
        """
        now = time.monotonic()
        line = self._lines.setdefault(asyncio.get_running_loop(), [])
        if not line and self.turn(now) <= now:
            self.admit(now)
            return now
        place = _Place(-caller.refusals)
        insort(line, place, key=_rank)
        try:
            while True:
                now = time.monotonic()
                error = self.gives_up(caller, now)
                if error is not None:
                    raise NoTurn(error)
                first = line[0] is place
                wait = self.turn(now) - now if first else _NAP
                if wait <= 0:
                    self.admit(now)
                    return now
                await place.sleep(min(wait, _GLANCE if first else _NAP, *_left(caller.until, now)))
        finally:
            line.remove(place)
            if line:
                line[0].wake()


@define(eq=False)
class _Place:
    """A place in line: before those who were refused less often, behind those who came before."""

    rank: int
    _bell: asyncio.Future[None] | None = field(default=None, init=False)

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._bell = loop.create_future()
        timer = loop.call_later(max(0.0, seconds), self.wake)
        try:
            await self._bell
        finally:
            timer.cancel()

    def wake(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)


def _rank(place: _Place) -> int:
    return place.rank


def _left(until: float | None, now: float) -> list[float]:
    return [] if until is None else [until - now]


def _since(moments: deque[float], start: float) -> int:
    """Return how many of some moments, which are in order, are not before another."""
    count = 0
    for moment in reversed(moments):
        if moment < start:
            break
        count += 1
    return count
