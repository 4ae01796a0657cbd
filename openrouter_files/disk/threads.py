"""Blocking calls off the loop, in a few threads of our own; none is ever left running behind a caller.

Why our own: the loop's default executor is the user's, too, and neither should starve the other.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from ..waiting import ended

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

# Two to four beat the default under load: the loop's thread holds the lock most of the time anyway.
THREADS = 4

_pool: list[ThreadPoolExecutor] = []


def pool() -> ThreadPoolExecutor:
    """Return the threads of this process, started when first needed."""
    if not _pool:
        _pool.append(ThreadPoolExecutor(THREADS, thread_name_prefix="openrouter_files"))
    return _pool[0]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)  # threads do not survive a fork


async def settled(work: Awaitable[T], *, dropped: Callable[[T], object] | None = None) -> T:
    """Await something that must end before its caller may go, even if the caller is cancelled.

    A thread cannot be stopped, and to close a file under one that reads it would be a race.

    Args:
        work: What to wait for; it is never cancelled.
        dropped: Called with the result if the caller was cancelled meanwhile and will not see it.
    """
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await left(future, dropped)
        raise


async def left(future: asyncio.Future[T], dropped: Callable[[T], object] | None) -> None:
    """Wait for the end of what nobody wants any more, and drop its result."""
    try:
        await ended(future)
    finally:
        if not future.cancelled() and future.exception() is None and dropped is not None:
            dropped(future.result())


async def hop(function: Callable[..., T], *args: Any, dropped: Callable[[T], object] | None = None) -> T:
    """Run a blocking call in one of the threads; see ``settled``.

    One hop costs 60 to 100 microseconds, so callers put all they can into one.
    """
    # A bare future, not a task: at the end of a loop all tasks are cancelled, futures are not.
    return await settled(asyncio.get_running_loop().run_in_executor(pool(), function, *args), dropped=dropped)
