"""Ctrl-C before there is anything to cancel, and when there is no more.

Python raises KeyboardInterrupt wherever it happens to be. While modules are loaded, that is now and then
in a callback of the import system, which prints it and goes on: the key press would be lost. While the
process ends, nobody is left to catch it.
"""

from __future__ import annotations

import atexit
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from .exits import Exit

if TYPE_CHECKING:
    from types import FrameType


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(Exit.INTERRUPTED)


def end_the_process() -> None:
    """Let Ctrl-C end the process on the spot: nothing has begun. If it is off, it stays off."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not the main thread: Ctrl-C does not come here
            signal.signal(signal.SIGINT, _leave)


def end_the_work() -> None:
    """Let Ctrl-C end the work in an orderly way from now on."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def end_with(status: int) -> None:
    """Let Ctrl-C end the process on the spot, with the status of the work that is done. If it is off, it stays off."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        os._exit(status)

    if signal.getsignal(signal.SIGINT) in {signal.default_int_handler, _leave}:
        with suppress(ValueError):  # likewise
            signal.signal(signal.SIGINT, leave)
            # Python puts its handlers away before it is gone itself: a moment in which the key would kill it.
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
