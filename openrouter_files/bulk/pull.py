"""Mirroring into a folder what models wrote: the newest of each name, and only what is not there yet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from .download import downloading
from .report import report_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from ..client import FilesClient
    from ..models import File
    from .outcome import BulkProgressCallback, BulkReport, DownloadOutcome


async def _newest(files: FilesClient) -> list[File]:
    """Return the files that can be downloaded, of each name the one that was made last."""
    newest: dict[str, File] = {}
    async for file in files.list():
        if file.downloadable:
            newest[file.filename] = file
    return list(newest.values())


def _is_there(folder: Path, file: File) -> bool:
    """Whether an earlier pull saved this very file: it left its time of creation on it."""
    try:
        status = (folder / file.filename).stat()
    except (OSError, ValueError):
        return False
    return status.st_size == file.size_bytes and int(status.st_mtime) == int(file.created_at.timestamp())


async def pull(
    files: FilesClient,
    folder: str | os.PathLike[str],
    *,
    concurrency: int = 8,
    on_outcome: Callable[[DownloadOutcome], object] | None = None,
    on_progress: BulkProgressCallback | None = None,
) -> BulkReport:
    """Mirror the files that models wrote: names with their folders, the newest of each name.

    What an earlier pull saved and is still the newest costs no download. Nothing is deleted.
    The arguments are those of ``download_many``; the folder must exist.
    """
    root = Path(folder)

    newest = await _newest(files)
    missing = await asyncio.to_thread(lambda: [file for file in newest if not _is_there(root, file)])
    job = downloading(
        files,
        missing,
        root,
        concurrency=concurrency,
        overwrite="replace",
        keep_folders=True,
        stamp=True,
        on_progress=on_progress,
    )
    return await report_of(job, on_outcome, keep="all")
