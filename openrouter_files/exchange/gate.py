"""The pause that all calls of a client share, and the pace at which they come back.

The first 429 closes the gate for everybody. When its time has passed, calls are let through one by
one, at the rate that the server accepted before; the pace rises with time, and falls with each
further 429. So a crowd that was turned away does not come back as a crowd.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import TYPE_CHECKING

from ..contract import statuses
from ..errors import TransportTimeoutError

if TYPE_CHECKING:
    from ..errors import APIError

# When the server does not say how long: the limits of such APIs are per second at the least.
_PAUSE = 1.0
# What was accepted is measured over the pause, but no further back than this many answers.
_REMEMBERED = 1024
# Start a little below what was accepted: at the rate itself, half of the calls would come too early.
_CAUTION = 0.9
# A crowd that was turned away says what the server takes; one or two calls say nothing.
_CROWD, _GUESS = 3, 10.0
# The pace doubles in this many seconds, but stays below what was too fast not long ago.
_DOUBLING, _BACK_OFF, _MEMORY = 10.0, 0.75, 30.0
# Beyond this many calls per second there is nothing to pace.
_UNPACED = 1000.0


class Gate:
    """One per client and host. All times are seconds on the monotonic clock.

    Attributes:
        rate: Calls per second that are let through after a refusal; infinite when nothing is paced.
    """

    def __init__(self) -> None:
        self.rate = math.inf
        self._closed_at = -math.inf
        self._opens = -math.inf
        self._next = -math.inf
        self._measuring = False
        self._turned_away = 0
        self._too_fast = math.inf
        self._paced_at = -math.inf
        self._why: APIError | None = None
        self._successes: deque[float] = deque(maxlen=_REMEMBERED)

    async def admit(self, *, max_delay: float, until: float | None) -> float:
        """Wait for this call's turn; return when it came.

        Args:
            max_delay: The longest pause that the call bears. Waiting in line does not count.
            until: When the call must have ended; None for never.

        Raises:
            APIError: The gate stays closed for longer, said as it was when it closed.
            TransportTimeoutError: The turn would come too late.
        """
        now = time.monotonic()
        while now < self._opens or self.rate < _UNPACED:
            turn = self._opens if now < self._opens else self._reserve(now)
            self._check(now, turn, max_delay, until)
            await asyncio.sleep(turn - now)
            opened, now = now >= self._opens, time.monotonic()
            if opened and now >= self._opens:  # the turn was reserved, and nobody closed the gate since
                break
        return now

    def passed(self) -> None:
        """Note a call that the server accepted."""
        self._successes.append(time.monotonic())

    def refused(self, error: APIError, admitted: float) -> None:
        """Close for as long as a 429 says, or a 503 that says how long."""
        if error is self._why:  # it came here before
            return
        declined = statuses.decisive(error.status, error.code)
        if declined == 429 or (declined == 503 and error.retry_after is not None):
            self._why = error
            self._close(time.monotonic(), _PAUSE if error.retry_after is None else error.retry_after, admitted)

    def _close(self, now: float, pause: float, admitted: float) -> None:
        self._turned_away += 1
        if admitted >= self._closed_at:  # not one of the crowd that was under way when the first was refused
            self._turned_away = 1
            self._measuring = math.isinf(self.rate)
            self._too_fast = self.rate
            self.rate = 1.0 if self._measuring else self.rate * _BACK_OFF
            self._closed_at = now
            self._next = now + pause
        self._opens = max(self._opens, now + pause)

    def _reserve(self, now: float) -> float:
        """Take the next place in line."""
        self._set_pace(now)
        turn = max(now, self._next)
        self._next = turn + 1 / self.rate
        return turn

    def _set_pace(self, now: float) -> None:
        if self._measuring:
            self._measuring, self.rate = False, self._accepted()
        else:
            since = max(self._paced_at, self._opens)
            cap = self._too_fast * _CAUTION if now - self._closed_at < _MEMORY else math.inf
            faster = self.rate * 2 ** ((now - since) / _DOUBLING)
            self.rate = max(self.rate, min(faster, cap))
            self.rate = self.rate if self.rate < _UNPACED else math.inf
        self._paced_at = now

    def _accepted(self) -> float:
        """Return how many calls per second the server took lately, its answers since the refusal included.

        At least the one that it lets pass after the pause it asked for.
        """
        pause = self._opens - self._closed_at
        window = max(pause, _PAUSE)
        recent = sum(1 for success in self._successes if success > self._closed_at - window)
        measured = _CAUTION * max(recent / window, 1 / max(pause, 0.01))
        return measured if self._turned_away >= _CROWD else max(measured, _GUESS)

    def _check(self, now: float, turn: float, max_delay: float, until: float | None) -> None:
        left = self._opens - now
        if left > max_delay and self._why is not None:
            message = f"the client is paused by an earlier answer: {self._why.message}"
            raise type(self._why)(message, status=self._why.status, code=self._why.code, retry_after=left)
        if until is not None and turn > until:
            raise TransportTimeoutError("the deadline comes before this call's turn: the server limits the rate")
