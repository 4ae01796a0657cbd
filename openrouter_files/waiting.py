"""Waiting for the end of something that must end before the one who waits may go."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(*works: asyncio.Future[Any]) -> None:
    """Wait for the end of some things, whatever their outcome; a cancellation is passed on, but only then.

    It is passed on as it came: asyncio.timeout counts it, and a scope of anyio, which cancels again and again until
    it is left, knows it by its message.
    """
    cancelled: asyncio.CancelledError | None = None
    while running := [work for work in works if not work.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    for work in works:
        if not work.cancelled():
            work.exception()  # seen, so that nobody is told it never was
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            del cancelled  # else it holds this frame, and this frame holds it
