"""Ctrl-C before there is anything to cancel.

Python raises KeyboardInterrupt wherever it happens to be. While modules are loaded, that is now and then
in a callback of the import system, which prints it and goes on: the key press would be lost.
"""

from __future__ import annotations

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
