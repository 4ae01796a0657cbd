"""Progress bars."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from attrs import define

from .formatting import files, pace, size
from .output import Output

if TYPE_CHECKING:
    from openrouter_files import BulkProgress, LocalFile, Progress


# ---- How far a job is: fed by the client's progress and by outcomes, read by the bar and by the summary.

# A rate over the last few seconds; the oldest sample is so many ticks old.
_SAMPLES = 50


@define
class Moving:
    """A file under way."""

    since: float
    done: int = 0
    total: int | None = None


class Gauge:
    """The counts of one job.

    Attributes:
        title: What it does: ``uploading``.
        done: Files that have what the job was to give them.
        failed: Files that have not.
        skipped: Files that had it before.
        cut_off: Files that were under way when the job was stopped.
        whole: Whether all files have been found.
        running: The files under way, by name.
    """

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.title = title
        self.done = self.failed = self.skipped = self.cut_off = 0
        self.whole = False
        self.running: dict[str, Moving] = {}
        self.clock = clock
        self._began: float | None = None
        self._expected = self._bytes = self._unmeasured = self._aside = 0
        self._sizes: dict[object, int] = {}
        self._bulk: BulkProgress | None = None
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=_SAMPLES)

    def expect(self, count: int | None) -> None:
        """Count one more file to come, of so many bytes; None if only moving it tells."""
        self._began = self._began or self.clock()
        self._unmeasured += count is None
        self._expected += 1
        self._bytes += count or 0

    def expect_no_more(self) -> None:
        """Say that all have been found."""
        self.whole = True

    def hand_over(self, source: LocalFile | str, count: int) -> None:
        """Remember the size of a file until it has its outcome."""
        self._sizes[source] = count

    def size_of(self, source: object) -> int | None:
        """Return the size of a file that was handed over."""
        return self._sizes.get(source)

    def settle(self, source: object, *, moved: bool) -> None:
        """Forget it again; what did not move does not belong to the whole."""
        count = self._sizes.pop(source, 0)
        self._bytes -= 0 if moved else count

    def watch(self, progress: BulkProgress) -> None:
        """Hear of a bulk job."""
        self._began = self._began or self.clock()
        ended = progress.files > (self._bulk.files if self._bulk else 0)
        self._bulk = progress
        if ended:
            self.running.pop(progress.name, None)
        else:
            self._move(progress.name, progress.name_done, progress.name_total)

    def cut(self) -> None:
        """Count what is under way in the bulk job: it is about to be stopped."""
        self.cut_off += self._bulk.found - self._bulk.files if self._bulk else 0

    def _move(self, name: str, done: int, total: int | None) -> None:
        moving = self.running.setdefault(name, Moving(self.clock()))
        moving.done, moving.total = done, total

    @contextmanager
    def follow(self, name: str) -> Generator[Callable[[Progress], None]]:
        """Follow one transfer that is in no bulk job; one that fails moved nothing."""
        before = self._aside
        total: int | None = None

        def hear(progress: Progress) -> None:
            nonlocal total
            total = self._learn(total, progress.total)
            self._aside = before + progress.done
            self._move(name, progress.done, progress.total)

        try:
            yield hear
        except BaseException as error:
            self._aside = before
            self.cut_off += isinstance(error, asyncio.CancelledError)
            raise
        finally:
            self.running.pop(name, None)

    def _learn(self, known: int | None, total: int | None) -> int | None:
        if known is None and total is not None and self._unmeasured:
            self._unmeasured -= 1
            self._bytes += total
        return total

    @property
    def settled(self) -> int:
        """Files that have their outcome."""
        return self.done + self.failed + self.skipped

    @property
    def files(self) -> int:
        """Files found so far."""
        return max(self._expected, self.settled, self._bulk.found if self._bulk else 0)

    @property
    def moved(self) -> int:
        """Bytes so far, those of files under way included."""
        return self._aside + (self._bulk.bytes_done if self._bulk else 0)

    @property
    def total(self) -> int | None:
        """Bytes of the whole; None while unknown."""
        if not self.whole:
            return None
        if not self._unmeasured:
            return self._bytes
        found = self._bulk is not None and self._bulk.found >= self._expected
        return self._bulk.bytes_found if self._bulk and found else None

    @property
    def seconds(self) -> float:
        """How long the job has lasted, from the first file that was found."""
        return self.clock() - self._began if self._began else 0.0

    def rates(self) -> tuple[float, float]:
        """Return bytes and files per second, of late; to be asked at every tick of a clock."""
        now = (self.clock(), self.moved, self.settled)
        self._samples.append(now)
        then = self._samples[0]
        spent = now[0] - then[0]
        return ((now[1] - then[1]) / spent, (now[2] - then[2]) / spent) if spent > 0 else (0.0, 0.0)

    def measure(self) -> str:
        """Return how much has moved, how fast."""
        return f"{size(self.moved)} in {pace(self.done, self.moved, self.seconds)}"

    def summary(self, past: str, *, already: str, moves: bool = True) -> str:
        """Return what was done, how much, how fast; empty if nothing happened."""
        fast = f", {self.measure()}" if self.done and moves else ""
        said = [f"{files(self.done)} {past}{fast}"] if self.done or self.cut_off else []
        said += [f"{files(self.cut_off)} cut off"] if self.cut_off else []
        said += [f"{self.skipped:,} {already}"] if self.skipped else []
        return "; ".join(said)


# ---- Whether a job is drawn while it lasts.


def drawn(output: Output, gauge: Gauge) -> AbstractAsyncContextManager[None]:
    """Draw a job if somebody watches."""
    if not output.draws:
        return nullcontext()
    from .bars import bars  # noqa: PLC0415  # rich is for people only

    return bars(output, gauge)
