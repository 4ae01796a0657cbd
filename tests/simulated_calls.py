"""Calls, a rate limit and a server on a clock of their own: hours pass in a moment, the same way each time."""

from __future__ import annotations

import heapq
import math
import random
from bisect import insort
from itertools import count
from typing import TYPE_CHECKING

from attrs import define, field

from openrouter_files import RateLimitError, RetryPolicy
from openrouter_files.transport.rate_limit import Caller, RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable

LATENCY = 0.02


@define
class Server:
    """A bucket of tokens that is refilled at a rate, which changes; answers what Retry-After it is told to.

    Attributes:
        rates: From when on which rate holds; 0 is an outage.
        retry_after: Seconds, None for no header, or "honest" for the time until a token, in whole seconds.
        burst: Tokens that it holds at most; None for a second's worth.
        now_and_then: The share of requests that are refused for no reason.
    """

    rates: list[tuple[float, float]]
    retry_after: float | str | None = "honest"
    burst: float | None = None
    now_and_then: float = 0.0
    _tokens: float = field(default=math.inf, init=False)
    _at: float = field(default=0.0, init=False)
    _dice: random.Random = field(factory=lambda: random.Random(7), init=False)

    def rate(self, now: float) -> float:
        return next(rate for start, rate in reversed(self.rates) if now >= start)

    def _most(self, now: float) -> float:
        return self.burst or max(1.0, math.floor(self.rate(now)))

    def answer(self, now: float) -> RateLimitError | None:
        """Take a request; None if all is well."""
        rate = self.rate(now)
        if rate == 0:
            self._tokens = 0.0
        gained = math.inf if rate == math.inf else (now - self._at) * rate
        self._tokens = min(self._tokens + gained, self._most(now))
        self._at = now
        if self._dice.random() < self.now_and_then or self._tokens < 1 - 1e-9:
            return RateLimitError("Rate limit exceeded", status=429, retry_after=self._asked(now, rate))
        self._tokens -= 1
        return None

    def _asked(self, now: float, rate: float) -> float | None:
        if self.retry_after != "honest":
            return self.retry_after
        if rate == 0:  # it knows when it will be well
            return math.ceil(next(start for start, rate in self.rates if start > now and rate) - now)
        return math.ceil((1 - self._tokens) / rate)

    def ideal(self, calls: int) -> float:
        """Return the seconds in which it takes so many calls, one after the other as tokens come."""
        ends = [start for start, _ in self.rates[1:]] + [math.inf]
        left = float(calls)
        for (start, rate), end in zip(self.rates, ends, strict=True):
            if rate and left <= (end - start) * rate:
                return start + left / rate
            left -= (end - start) * rate if rate else 0
        raise AssertionError


@define(eq=False)
class Call:
    """One call and what became of it."""

    caller: Caller
    began: float
    sent: int = 0
    refused: int = 0
    error: RateLimitError | None = None
    ended: float | None = None
    waits: bool = False


@define
class World:
    """Runs calls as ``repeat`` and ``RateLimit.acquire`` do."""

    server: Server
    policy: RetryPolicy = field(factory=RetryPolicy)
    limit: RateLimit = field(factory=RateLimit)
    now: float = 0.0
    calls: list[Call] = field(factory=list)
    _line: list[Call] = field(factory=list)
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(factory=list)
    _serial: count[int] = field(factory=count)
    _dice: random.Random = field(factory=lambda: random.Random(11))
    _looked: float = -1.0
    after: Callable[[Call], None] = lambda _: None

    def begin(self, at: float = 0.0) -> None:
        """Begin a call."""

        def come() -> None:
            until = None if self.policy.deadline is None else self.now + self.policy.deadline
            call = Call(Caller(self.policy.attempts, self.policy.max_delay, until), self.now)
            self.calls.append(call)
            self._queue(call)

        self._at(at, come)

    def run(self, until: float = math.inf) -> None:
        """Run until all have ended, or the clock shows so much."""
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, happen = heapq.heappop(self._agenda)
            happen()

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (max(when, self.now), next(self._serial), happen))

    def _queue(self, call: Call) -> None:
        call.waits = True
        insort(self._line, call, key=lambda one: -one.caller.refusals)
        self._at(self.now, lambda: self._look(call))

    def _look(self, call: Call) -> None:
        if not call.waits:
            return
        error = self.limit.gives_up(call.caller, self.now)
        if error is not None:
            self._leave(call)
            assert isinstance(error, RateLimitError)
            self._end(call, error)
            return
        first = self._line[0] is call
        wait = self.limit.turn(self.now) - self.now if first else 1.0
        if wait <= 1e-9:
            self.limit.admit(self.now)
            self._leave(call)
            self._send(call)
            return
        wait = min(wait, 0.1) if first else wait
        until = math.inf if call.caller.until is None else call.caller.until
        self._at(min(self.now + wait, max(until, self.now)), lambda: self._look(call))

    def _leave(self, call: Call) -> None:
        call.waits = False
        self._line.remove(call)
        if self._line:
            first = self._line[0]
            self._at(self.now, lambda: self._look(first))

    def _send(self, call: Call) -> None:
        admitted = self.now
        call.sent += 1

        def arrive() -> None:
            error = self.server.answer(self.now)
            self._at(self.now + LATENCY / 2, lambda: self._answered(call, error, admitted))

        self._at(self.now + LATENCY / 2 * self._dice.uniform(0.8, 1.2), arrive)

    def _answered(self, call: Call, error: RateLimitError | None, admitted: float) -> None:
        if error is None:
            self.limit.passed(admitted, self.now)
            self._end(call, None)
            return
        self.limit.refused(error, admitted, self.now)
        call.refused += 1
        caller, policy = call.caller, self.policy
        caller.met, caller.refusals = error, caller.refusals + 1
        asked = error.retry_after or 0.0
        wait = asked or self._dice.uniform(0, min(policy.max_delay, policy.first_delay * 2 ** (call.refused - 1)))
        late = caller.until is not None and self.now + wait > caller.until
        if call.refused >= policy.attempts or asked > policy.max_delay or late:
            self._end(call, error)
        else:
            self._at(self.now + wait, lambda: self._queue(call))

    def _end(self, call: Call, error: RateLimitError | None) -> None:
        call.error, call.ended = error, self.now
        self.after(call)
