"""Drawing a job while it lasts: a block of lines at the end of the screen, redrawn in its place.

Not rich's live display: that one counts its lines on the terminal as it was, and after a change of
its width leaves torn pieces behind.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from rich.cells import cell_len

from .frames import frame, last

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from .output import Output
    from .progress import Gauge

_TICK = 0.1
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_CLEAR = "\x1b[J"


class Screen:
    """The end of a terminal."""

    def __init__(self) -> None:
        self._lines: Sequence[str] = ()
        if sys.platform == "win32":  # pragma: no cover
            os.system("")  # noqa: S605, S607  # makes an old console understand escape sequences

    @property
    def columns(self) -> int:
        """How wide it is now."""
        return self._size().columns

    @property
    def rows(self) -> int:
        """How high it is now."""
        return self._size().lines

    def _size(self) -> os.terminal_size:
        with suppress(OSError):
            size = os.get_terminal_size(sys.stderr.fileno())
            if size.columns and size.lines:
                return size
        return os.terminal_size((80, 24))

    def show(self, lines: Sequence[str]) -> None:
        """Draw lines where the last ones were."""
        self._write(self._back() + "\n".join(lines))
        self._lines = lines

    def above(self, text: str) -> None:
        """Write a line that stays, over the block."""
        self._write(f"{self._back()}{text}\n" + "\n".join(self._lines))

    def leave(self) -> None:
        """Let what is drawn stay, too."""
        self._write("\n" if self._lines else "")
        self._lines = ()

    def _back(self) -> str:
        """Return how to go to the start of the block: a terminal that got narrower has wrapped its lines."""
        columns = self.columns
        rows = sum(max(1, -(-cell_len(_ESCAPE.sub("", line)) // columns)) for line in self._lines)
        return ("\r" + f"\x1b[{rows - 1}A" * (rows > 1) + _CLEAR) if self._lines else ""

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal is gone; the job is not
            sys.stderr.write(text)
            sys.stderr.flush()


async def _paint(screen: Screen, gauge: Gauge, *, colour: bool) -> None:
    while True:
        screen.show(frame(gauge, screen.columns, screen.rows, colour=colour))
        await asyncio.sleep(_TICK)


@asynccontextmanager
async def bars(output: Output, gauge: Gauge) -> AsyncGenerator[None]:
    """Draw a job, with all messages above."""
    screen, colour = Screen(), not os.environ.get("NO_COLOR")
    before, output.above = output.above, screen.above
    painter = asyncio.create_task(_paint(screen, gauge, colour=colour))
    try:
        yield
    finally:
        painter.cancel()
        output.above = before
        screen.show([last(gauge, screen.columns, colour=colour)])
        screen.leave()
