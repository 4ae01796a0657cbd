"""What a client can tell while it works: for metrics, traces and jobs that adapt. Values only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen


@frozen(kw_only=True)
class _OfACall:
    call: str

    @property
    def method(self) -> str:
        """The HTTP method: ``POST``."""
        return self.call.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, ids included: ``/files``."""
        return self.call.partition(" ")[2]


@frozen(kw_only=True)
class AttemptEnded(_OfACall):
    """One attempt of a call is over.

    Attributes:
        call: Method and path: ``POST /files``; ``method`` and ``path`` are its halves.
        attempt: 1 for the first of a call.
        began: When, in Unix seconds.
        seconds: How long it took, waiting for the rate limit included.
        status: The HTTP status of the answer; None if none came. An upload whose answer was bad, but
            that was found to be stored, has worked, and has the status of that answer.
        request_id: Of the answer, to quote to support; None if it carried none.
        error: What it failed with; None if it worked, or was cancelled.
        cancelled: Whether it was broken off from outside, as by ``asyncio.timeout``.
    """

    attempt: int
    began: float = 0.0
    seconds: float
    status: int | None = None
    request_id: str | None = None
    error: Exception | None
    cancelled: bool = False


@frozen(kw_only=True)
class RetryScheduled(_OfACall):
    """A call will be tried again.

    Attributes:
        call: Method and path: ``POST /files``; ``method`` and ``path`` are its halves.
        attempt: The number of the attempt to come.
        wait: Seconds until then.
        error: What the last attempt failed with.
    """

    attempt: int
    wait: float
    error: Exception


Event: TypeAlias = AttemptEnded | RetryScheduled
"""What ``on_event`` is called with."""

EventCallback: TypeAlias = Callable[[Event], object]
"""Called on the event loop: it should be quick. What it raises ends the call."""
