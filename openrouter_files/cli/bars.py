"""The progress bars: one for the job, and one for each big file that is under way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from .wording import plain

if TYPE_CHECKING:
    from collections.abc import Generator

    from .output import Output

# A bar that lives for a tenth of a second only flickers.
_BIG = 4_000_000
_LONGEST_NAME = 32


class Bars:
    """What is drawn on stderr while something moves."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            # Results go where the user sent them, never through the bars.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._job = self._progress.add_task(title, total=None)

    @contextmanager
    def drawn(self, output: Output) -> Generator[None]:
        """Draw them, with all messages above."""
        with self._progress:
            before, output.above = output.above, self._above
            try:
                yield
            finally:
                output.above = before

    def _above(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def begin(self, name: str, size: int | None) -> TaskID | None:
        """Add a bar for a file if it is big enough for one."""
        if size is None or size < _BIG:
            return None
        label = plain(name)
        label = label if len(label) <= _LONGEST_NAME else f"…{label[1 - _LONGEST_NAME :]}"
        return self._progress.add_task(f"  {label}", total=size)

    def show(self, bar: TaskID | None, done: int) -> None:
        """Move the bar of a file."""
        if bar is not None:
            self._progress.update(bar, completed=done)

    def end(self, bar: TaskID | None) -> None:
        """Take the bar of a file away."""
        if bar is not None:
            self._progress.remove_task(bar)

    def job(self, *, done: int, moved: int, files: int | None, total: int | None) -> None:
        """Move the bar of the job; None while the whole is unknown."""
        of = f"/{files}" if files is not None else ""
        self._progress.update(self._job, description=f"{self._title} {done}{of}", completed=moved, total=total)
