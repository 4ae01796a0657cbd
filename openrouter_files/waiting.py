"""Waiting for the end of something that must end before the one who waits may go."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(work: asyncio.Future[Any]) -> None:
    """Wait for the end of something, whatever its outcome; a cancellation is passed on, but only then."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if not work.cancelled():
        work.exception()  # seen, so that nobody is told it never was
    if cancelled is not None:
        raise cancelled
