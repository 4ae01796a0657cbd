"""The moment at which a whole call must have ended, for what waits without sending anything."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..errors import TransportTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class WaitedTooLongError(TransportTimeoutError):
    """The deadline came before anything was sent."""


@asynccontextmanager
async def no_later(until: float | None) -> AsyncGenerator[None]:
    """Wait inside, but not beyond a moment on the monotonic clock; None for no such moment.

    Raises:
        WaitedTooLongError: It has come.
    """
    try:
        async with asyncio.timeout(None if until is None else max(0.0, until - time.monotonic())):
            yield
    except TransportTimeoutError:  # of what happened inside
        raise
    except TimeoutError as error:
        raise WaitedTooLongError("the deadline came while the call had to wait for others") from error
