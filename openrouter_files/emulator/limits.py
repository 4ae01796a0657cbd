"""A standing limit on the rate of requests."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from attrs import define, field, frozen, validators

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

    from openrouter_files.emulator.faults import Operation


def _finite(_: object, attribute: Attribute[float], value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{attribute.name} must be a positive number, not {value!r}")


@frozen(kw_only=True)
class RateLimit:
    """At most ``per_second`` requests on average, ``burst`` of them at once (None: one second's worth).

    What is beyond answers 429 with Retry-After: ``retry_after`` seconds, or, None, the time until the
    next request may pass, rounded up to whole seconds.

    Raises:
        ValueError: ``per_second`` is not a positive number, or ``burst`` less than 1.
    """

    per_second: float = field(validator=_finite)
    burst: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    retry_after: float | None = None

    @property
    def capacity(self) -> int:
        """How many requests may come at once after a pause."""
        return self.burst or max(1, math.floor(self.per_second))


@define
class Bucket:
    """A token bucket: a token per request, refilled with time."""

    limit: RateLimit
    _clock: Callable[[], float] = time.monotonic
    _tokens: float = field(init=False)
    _since: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.limit.capacity
        self._since = self._clock()

    def take(self) -> float | None:
        """Take a token; None if there was one, else the seconds to answer in Retry-After."""
        now = self._clock()
        self._tokens = min(self.limit.capacity, self._tokens + (now - self._since) * self.limit.per_second)
        self._since = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        if self.limit.retry_after is not None:
            return self.limit.retry_after
        return math.ceil((1 - self._tokens) / self.limit.per_second)


@define
class Limits:
    """The limits in force: of all requests together, and of single operations."""

    _buckets: dict[Operation | None, Bucket] = field(factory=dict["Operation | None", Bucket])

    def set(self, limit: RateLimit | None, operation: Operation | None) -> None:
        """Put a limit in force, in place of the one before; None lifts it."""
        self._buckets.pop(operation, None)
        if limit is not None:
            self._buckets[operation] = Bucket(limit)

    def refuse(self, operation: Operation) -> float | None:
        """Seconds that a request is told to wait, None if it may pass."""
        buckets = (self._buckets.get(None), self._buckets.get(operation))
        waits = [wait for bucket in buckets if bucket is not None and (wait := bucket.take()) is not None]
        return max(waits, default=None)
