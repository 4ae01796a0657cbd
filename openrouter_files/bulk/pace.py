"""How many transfers run at once: as many as the caller allows and the server takes.

Additive increase, multiplicative decrease: each success raises the limit by a part of one, a 429
or a server that is overwhelmed halves it, answers that take several times as long as they used to
lower it by a tenth.
"""

from __future__ import annotations

import asyncio
import time

from ..errors import RateLimitError, ServiceUnavailableError, TransportTimeoutError
from ..events import AttemptEnded, Event

# Within one such span the same trouble is met by all that were under way: it counts once.
_SPAN = 1.0
_HALF, _TENTH_LESS = 0.5, 0.9
# Times as long as the usual: slower answers mean a queue somewhere, not a faster job.
_SLOW = 4.0


class Pace:
    """A limit that adapts, and the places within it.

    Attributes:
        limit: Transfers that may run at once; a fraction counts when it is whole.
        lowest, highest: How far it went.
        running: Places that are taken.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"concurrency must be at least 1, not {most}")
        self.limit = float(most)
        self.lowest = self.highest = most
        self.running = 0
        self._most = most
        self._lowered_at = 0.0
        self._usual: dict[int, float] = {}
        self._waiting: asyncio.Future[None] | None = None

    @property
    def places(self) -> int:
        """The limit, as a number of transfers."""
        return max(1, int(self.limit))

    async def enter(self) -> None:
        """Take a place, as soon as there is one. Only one may wait: the one who starts transfers."""
        while self.running >= self.places:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self.running += 1

    def leave(self) -> None:
        """Give a place back."""
        self.running -= 1
        self._wake()

    def hear_event(self, event: Event, size: int = 0) -> None:
        """Learn from what the client tells about an attempt."""
        if isinstance(event, AttemptEnded) and not event.cancelled:
            self.hear(event.error, event.seconds, size)

    def hear(self, error: Exception | None, seconds: float, size: int) -> None:
        """Learn from an attempt: what it failed with, how long it took, how many bytes it moved."""
        if isinstance(error, RateLimitError | ServiceUnavailableError | TransportTimeoutError):
            self._lower(_HALF)
        elif error is None:
            self._succeeded(seconds, size)

    def _succeeded(self, seconds: float, size: int) -> None:
        # Transfers of about one size are compared with each other only.
        usual = self._usual.setdefault(size.bit_length(), seconds)
        self._usual[size.bit_length()] = min(usual * 1.01, usual * 0.9 + seconds * 0.1, key=lambda u: abs(u - usual))
        if seconds > _SLOW * usual:
            self._lower(_TENTH_LESS)
        elif self.limit < self._most:
            self._set(self.limit + 1 / self.limit)

    def _lower(self, factor: float) -> None:
        now = time.monotonic()
        if now - self._lowered_at >= _SPAN:
            self._lowered_at = now
            self._set(self.limit * factor)

    def _set(self, limit: float) -> None:
        self.limit = min(float(self._most), max(1.0, limit))
        self.lowest = min(self.lowest, self.places)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
