"""What a client can tell while it works: for metrics, traces and jobs that adapt. Values only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen


@frozen(kw_only=True)
class AttemptEnded:
    """One attempt of a call is over.

    Attributes:
        call: Method and path: ``POST /files``.
        attempt: 1 for the first of a call.
        seconds: How long it took, waiting at the gate included.
        error: What it failed with; None if it worked.
    """

    call: str
    attempt: int
    seconds: float
    error: Exception | None


@frozen(kw_only=True)
class RetryScheduled:
    """A call will be tried again.

    Attributes:
        call: Method and path.
        attempt: The number of the attempt to come.
        wait: Seconds until then.
        error: What the last attempt failed with.
    """

    call: str
    attempt: int
    wait: float
    error: Exception


Event: TypeAlias = AttemptEnded | RetryScheduled
EventCallback: TypeAlias = Callable[[Event], object]
"""Called on the event loop: it should be quick. What it raises ends the call."""
