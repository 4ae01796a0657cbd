"""Many deletions."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from ..models import File
from .engine import Brake, Meter, Outcomes, Pace, taken
from .outcomes import Deleted, Failed, Keep, NotTried, report_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from ..client import FilesClient
    from ..events import Event
    from .outcomes import BulkProgressCallback, BulkReport, DeleteOutcome


class _Deletions:
    """One job."""

    def __init__(self, files: FilesClient, pace: Pace, meter: Meter, *, missing_ok: bool) -> None:
        self._files = files.with_options(on_event=self._hear)
        self._pace = pace
        self._meter = meter
        self._missing_ok = missing_ok
        self._brake = Brake(files)

    def _hear(self, event: Event) -> None:
        self._meter.hear(event)
        self._pace.hear_event(event)

    async def work(self, doomed: File | str) -> DeleteOutcome:
        """Delete one file, or say why not."""
        if self._brake.why is not None:
            return NotTried(source=doomed, why=self._brake.why)
        file_id = doomed.id if isinstance(doomed, File) else doomed
        self._meter.found(None)
        try:
            await self._files.delete(file_id, missing_ok=self._missing_ok)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is about this file: an outcome
            await self._brake.hear(error)
            return Failed(source=doomed, error=error)
        finally:
            self._meter.finished(file_id, 0, moved=False)
        return Deleted(file_id=file_id)


def deleting(
    files: FilesClient,
    doomed: Iterable[File | str] | AsyncIterable[File | str],
    *,
    concurrency: int = 8,
    missing_ok: bool = False,
    on_progress: BulkProgressCallback | None = None,
) -> Outcomes[File | str, DeleteOutcome]:
    """Delete many files, and hand out the outcomes as they come; see Outcomes.

    Args:
        files: The client.
        doomed: Ids or Files, taken as needed.
        concurrency: The most that run at once; it adapts to what the server takes.
        missing_ok: Whether a file that is not there counts as deleted.
        on_progress: Called with a BulkProgress.
    """
    pace = Pace(concurrency)
    meter = Meter(pace, on_progress, files.options.on_event)
    job = _Deletions(files, pace, meter, missing_ok=missing_ok)
    return Outcomes(lambda: taken(doomed), job.work, pace, statistics=meter.statistics, around=nullcontext())


async def delete_many(
    files: FilesClient,
    doomed: Iterable[File | str] | AsyncIterable[File | str],
    *,
    concurrency: int = 8,
    missing_ok: bool = False,
    on_outcome: Callable[[DeleteOutcome], object] | None = None,
    on_progress: BulkProgressCallback | None = None,
    keep: Keep = "all",
) -> BulkReport:
    """Delete many files and report; the arguments are those of ``deleting`` and ``download_many``."""
    job = deleting(files, doomed, concurrency=concurrency, missing_ok=missing_ok, on_progress=on_progress)
    return await report_of(job, on_outcome, keep=keep)
