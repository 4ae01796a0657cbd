"""Saving files: to a path, or many of them into a folder."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from openrouter_files import Downloaded, Failed

from .connecting import connected
from .failures import EXPECTED
from .gauge import Gauge
from .job import Job
from .standard import aside
from .usage import check_ids

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openrouter_files import File, FilesClient

    from .output import Output
    from .settings import Settings

Overwrite = Literal["replace", "error", "skip", "rename"]


@frozen(kw_only=True)
class Wanted:
    """What to save where.

    Attributes:
        ids: Of the files; none means all that can be downloaded.
        to: A path for one file, or a folder.
    """

    ids: tuple[str, ...]
    to: str
    overwrite: Overwrite | None
    keep_folders: bool
    concurrency: int


def is_folder(to: str) -> bool:
    """Whether a place is a folder, or is to be one."""
    return to.endswith("/") or Path(to).is_dir()


async def save(settings: Settings, wanted: Wanted, output: Output) -> int:
    """Save all that is wanted, and return the exit status."""
    stopped = "the same command with --overwrite skip goes on" if is_folder(wanted.to) else "run it again"
    job = Job(output=output, gauge=Gauge("downloading"), past="downloaded", stopped=stopped)
    if wanted.to.endswith("/"):
        await aside(partial(Path(wanted.to).mkdir, parents=True, exist_ok=True))
    async with job.under_way(connected(settings)) as files:
        check_ids(files, wanted.ids)
        if is_folder(wanted.to):
            await _save_many(files, wanted, job)
        else:
            job.tell(await _save_one(files, wanted, job))
    if not job.gauge.settled:
        output.say("nothing to download")
    return job.exit


async def _save_many(files: FilesClient, wanted: Wanted, job: Job) -> None:
    from openrouter_files import downloading  # noqa: PLC0415  # not to show the help

    async with aclosing(_files(files, wanted, job)) as sources:
        outcomes = downloading(
            files,
            sources,
            wanted.to,
            concurrency=wanted.concurrency,
            overwrite=wanted.overwrite or "error",
            keep_folders=wanted.keep_folders,
            on_progress=job.gauge.watch,
        )
        await job.take(outcomes)


async def _files(files: FilesClient, wanted: Wanted, job: Job) -> AsyncGenerator[File | str]:
    """Yield what was named, or what the listing has to give."""
    for _ in wanted.ids:
        job.gauge.expect(None)
    if wanted.ids:
        job.gauge.expect_no_more()
    for file_id in wanted.ids:
        yield file_id
    if not wanted.ids:
        async for file in _downloadable(files):
            job.gauge.expect(file.size_bytes)
            job.gauge.hand_over(file.id, file.size_bytes or 0)
            yield file
        job.gauge.expect_no_more()


async def _downloadable(files: FilesClient) -> AsyncGenerator[File]:
    async with aclosing(files.list()) as listing:
        async for file in listing:
            if file.downloadable:
                yield file


async def _save_one(files: FilesClient, wanted: Wanted, job: Job) -> Downloaded | Failed:
    job.gauge.expect(None)
    job.gauge.expect_no_more()
    (file_id,) = wanted.ids
    try:
        file = await files.retrieve(file_id)
        with job.gauge.follow(file.filename) as hear:
            path = await files.download_to(file, wanted.to, overwrite=wanted.overwrite, on_progress=hear)
    except EXPECTED as error:
        return Failed(source=file_id, error=error)
    return Downloaded(file=file, path=path)
