"""Closing on a loop what lives on it, from whatever thread, finalisers included."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

# To close a connection takes no time; who closes it should not hang on a loop that is stuck.
_PATIENCE = 2.0


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def end(loop: asyncio.AbstractEventLoop | None, close: Callable[[], Coroutine[Any, Any, None]], pid: int) -> None:
    """Run ``close`` on the loop of a process and wait for it, unless this is the loop's own thread.

    Nothing is done for a loop that does not run, or that was left behind by a fork: what lives
    there is the parent's to close.
    """
    if loop is None or pid != os.getpid() or not loop.is_running():
        return
    closing = asyncio.run_coroutine_threadsafe(close(), loop)
    if not _is_running_here(loop):
        with suppress(TimeoutError):
            closing.result(_PATIENCE)
