"""Counting what a job does, for whoever watches it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..errors import RateLimitError
from ..events import RetryScheduled
from ..given import check_listener, tell
from .outcome import BulkProgress, Statistics

if TYPE_CHECKING:
    from ..events import Event, EventCallback
    from ..models import Progress, ProgressCallback
    from .outcome import BulkProgressCallback
    from .pace import Pace


class Meter:
    """The counts of one job.

    Args:
        pace: How many run.
        on_progress: Told about progress; None for nobody.
        pass_on: Who listened to the client before the job did; None for nobody.
    """

    def __init__(
        self, pace: Pace, on_progress: BulkProgressCallback | None = None, pass_on: EventCallback | None = None
    ) -> None:
        check_listener("on_progress", on_progress)
        self._pace = pace
        self._tell = on_progress
        self._pass_on = pass_on
        self._began = time.monotonic()
        self._files = self._found = 0
        self._bytes_done = self._bytes_found = 0
        self._moved = self._retries = self._rate_limited = 0

    @property
    def is_watched(self) -> bool:
        """Whether anybody listens."""
        return self._tell is not None

    def found(self, size: int | None) -> None:
        """Count a file that there is to do."""
        self._found += 1
        self._bytes_found += size or 0

    def track(self, name: str) -> Track:
        """Follow one transfer."""
        return Track(self, name)

    def moved(self, name: str, step: int, done: int, total: int | None) -> None:
        """Count bytes of a running transfer; a step is negative when it starts over."""
        self._bytes_done += step
        self._say(name, done, total)

    def finished(self, name: str, size: int, *, moved: bool) -> None:
        """Count a file that has its outcome."""
        self._files += 1
        self._moved += size if moved else 0
        self._say(name, size, size)

    def hear(self, event: Event) -> None:
        """Learn of an attempt or a retry of the client's."""
        if isinstance(event, RetryScheduled):
            self._retries += 1
        else:
            self._rate_limited += isinstance(event.error, RateLimitError)
        if self._pass_on is not None:
            tell("on_event", self._pass_on, event)

    def statistics(self) -> Statistics:
        """Return how the job went so far."""
        return Statistics(
            seconds=time.monotonic() - self._began,
            bytes=self._moved,
            retries=self._retries,
            rate_limited=self._rate_limited,
            lowest_concurrency=self._pace.lowest,
            highest_concurrency=self._pace.highest,
        )

    def _say(self, name: str, done: int, total: int | None) -> None:
        if self._tell is None:
            return
        progress = BulkProgress(
            files=self._files,
            found=self._found,
            bytes_done=self._bytes_done,
            bytes_found=self._bytes_found,
            name=name,
            name_done=done,
            name_total=total,
            running=self._pace.running,
            concurrency=self._pace.places,
        )
        try:
            tell("on_progress", self._tell, progress)
        except OSError as error:  # not the disk's: it must not be taken for a file that was never sent
            raise RuntimeError(f"on_progress failed: {error}") from error


class Track:
    """One transfer: its absolute progress into steps of the total."""

    def __init__(self, meter: Meter, name: str) -> None:
        self._meter = meter
        self._name = name
        self.done = 0

    @property
    def listener(self) -> ProgressCallback | None:
        """Whom the client is to tell; None if nobody watches the job: it would be counted for nobody."""
        return self.progress if self._meter.is_watched else None

    def progress(self, progress: Progress) -> None:
        """Hear of it from the client."""
        step, self.done = progress.done - self.done, progress.done
        self._meter.moved(self._name, step, progress.done, progress.total)

    def end(self, size: int, *, moved: bool) -> None:
        """Settle: a file that is done counts whole, one that failed not at all."""
        self._meter.moved(self._name, (size if moved else 0) - self.done, self.done, size)
        self._meter.finished(self._name, size, moved=moved)
