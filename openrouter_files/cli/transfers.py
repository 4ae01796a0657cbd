"""What a job has moved so far: counted for the summary, and drawn if somebody watches."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .wording import files, pace, size

if TYPE_CHECKING:
    from collections.abc import Generator

    from openrouter_files import Progress

    from .bars import Bars
    from .output import Output


class Transfer:
    """One file under way: call it with each Progress."""

    def __init__(self, job: Transfers, bars: Bars | None, name: str, count: int | None) -> None:
        self.moved = 0
        self._unmeasured = count is None
        self._job = job
        self._bars = bars
        self._bar = bars.begin(name, count) if bars else None

    def __call__(self, progress: Progress) -> None:
        """Take in how far it is; it may have started over."""
        self._job.moved += progress.done - self.moved
        self.moved = progress.done
        self._learn(progress.total)
        if self._bars:
            self._bars.show(self._bar, self.moved)
            self._job.draw()

    def _learn(self, total: int | None) -> None:
        """Add to the whole what only the server could tell."""
        if self._unmeasured and total is not None:
            self._unmeasured = False
            self._job.learn(total)

    def end(self) -> None:
        """Take its bar away."""
        self._learn(self.moved)
        if self._bars:
            self._bars.end(self._bar)
            self._job.draw()


class Transfers:
    """The files of one job.

    Attributes:
        done: Files that arrived whole.
        moved: Bytes, those of files under way included.
        cut_off: Files that were under way when the job was stopped.
    """

    def __init__(self, bars: Bars | None = None) -> None:
        self.done = self.moved = self.cut_off = 0
        self._bars = bars
        self._files = self._bytes = 0
        self._unmeasured = 0
        self._whole = False
        self._began = time.monotonic()

    def expect(self, count: int | None) -> None:
        """Count one more file among those to come; one of unknown size hides the whole."""
        self._unmeasured += count is None
        self._files += 1
        self._bytes += count or 0

    def learn(self, count: int) -> None:
        """Take in the size of a file that could not say it before."""
        self._unmeasured -= 1
        self._bytes += count

    def expect_no_more(self) -> None:
        """Say that the whole is known."""
        self._whole = True
        self.draw()

    @contextmanager
    def one(self, name: str, count: int | None) -> Generator[Transfer]:
        """Count a file while it moves; one that fails counts nothing."""
        transfer = Transfer(self, self._bars, name, count)
        try:
            yield transfer
            self.done += 1
        except BaseException as error:
            self.moved -= transfer.moved
            self.cut_off += isinstance(error, asyncio.CancelledError)
            raise
        finally:
            transfer.end()

    def draw(self) -> None:
        """Bring the bar of the job up to date."""
        if self._bars:
            self._bars.job(
                done=self.done,
                moved=self.moved,
                files=self._files if self._whole else None,
                total=self._bytes if self._whole and not self._unmeasured else None,
            )

    @property
    def seconds(self) -> float:
        """How long the job has lasted."""
        return time.monotonic() - self._began

    def measure(self) -> str:
        """Return how much has moved, how fast."""
        return f"{size(self.moved)} in {pace(self.done, self.moved, self.seconds)}"

    def summary(self, verb: str) -> str:
        """Return what was done, how much, how fast."""
        fast = f", {self.measure()}" if self.done else ""
        cut = f"; {files(self.cut_off)} cut off" if self.cut_off else ""
        return f"{files(self.done)} {verb}{fast}{cut}"


@contextmanager
def transfers(output: Output, title: str) -> Generator[Transfers]:
    """Count the transfers of a job, and draw them while it lasts if somebody watches."""
    if not output.draws:
        yield Transfers()
        return
    from .bars import Bars  # noqa: PLC0415  # rich costs 0.15 s, and pipes have no use for it

    bars = Bars(title)
    with bars.drawn(output):
        yield Transfers(bars)
