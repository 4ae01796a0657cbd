"""Mirroring into a folder what models wrote: the newest of each name, and only what is not there yet."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .download import Downloads, made
from .meter import Meter
from .mirror import sorted_out
from .pace import Pace
from .report import report_of
from .running import Outcomes, Ready

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Callable

    from ..client import FilesClient
    from ..models import File
    from .outcome import BulkProgressCallback, BulkReport, DownloadOutcome


async def _newest(files: FilesClient) -> list[File]:
    """Return the files that can be downloaded, of each name the one that was made last."""
    newest: dict[str, File] = {}
    async with aclosing(files.list()) as listing:
        async for file in listing:
            if file.downloadable:
                newest[file.filename] = file
    return list(newest.values())


async def _items(
    files: FilesClient, root: Path, saved: dict[str, File]
) -> AsyncGenerator[File | Ready[DownloadOutcome]]:
    for item in await asyncio.to_thread(sorted_out, root, await _newest(files), saved):
        yield item


async def pull(
    files: FilesClient,
    folder: str | os.PathLike[str],
    *,
    concurrency: int = 8,
    on_outcome: Callable[[DownloadOutcome], object] | None = None,
    on_progress: BulkProgressCallback | None = None,
) -> BulkReport:
    """Mirror the files that models wrote: names with their folders, the newest of each name.

    What an earlier pull saved and is still the newest is Skipped: it is where it belongs, has its
    size, and the time of creation on the server that the pull left on it. Nothing is deleted. The
    arguments are those of ``download_many``; the folder is made if it is missing. A name that is
    not safe here gets a mark of what it was: ``notes:1.md`` becomes ``notes_1 (93c7a506).md``; so does the
    later one of two names that some disks take for one, ``README.md`` and ``readme.md``.

    Raises:
        NotADirectoryError: The folder is something else.
        FilesError: The files could not be listed.
    """
    root, pace = Path(folder), Pace(concurrency)
    meter = Meter(pace, on_progress, files.options.on_event)
    saved: dict[str, File] = {}

    def renamed(file: File) -> File:
        return saved.get(file.id, file)

    how = {"keep_folders": True, "stamp": True}
    job = Downloads(files, root, pace, meter, overwrite="replace", renamed=renamed, **how)
    items = partial(_items, files, root, saved)
    outcomes = Outcomes(items, job.work, pace, statistics=meter.statistics, around=made(root))
    return await report_of(outcomes, on_outcome, keep="all")
