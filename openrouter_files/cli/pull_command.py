"""`pull`: mirroring what models wrote."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import click

from .job import Job
from .options import CONCURRENCY, Settings, Teaching, completed_as, connected, run, with_settings
from .progress import Gauge

if TYPE_CHECKING:
    from openrouter_files import FilesClient

    from .output import Output

_HELP = """Mirror into a folder what models wrote: names with their folders, the newest file of each name.

    The folder is made if it is missing. What an earlier pull saved and is still the newest is not
    loaded again, so the same command goes on after an interruption, and brings what is new later.
    A name that is not safe here gets a mark: notes:1.md is saved as notes_1 (93c7a506).md. Nothing is
    deleted.

    \b
    With --json one object per file, by "outcome":
      downloaded  id, filename, path, size_bytes
      skipped     reason: done, by an earlier pull; id, filename
      failed      error.type, error.message, ...; source: the id
    """

_EPILOG = """\b
Examples:
  openrouter-files pull out/
  openrouter-files pull out/ --json | jq -r .path"""


@click.command("pull", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("folder", metavar="FOLDER", shell_complete=completed_as("dir"))
@CONCURRENCY
@with_settings
def command(settings: Settings, *, folder: str, concurrency: int) -> int:  # noqa: D103
    return run(settings, partial(_pull, settings, folder, concurrency))


async def _pull(settings: Settings, folder: str, concurrency: int, output: Output) -> int:
    again = "run the same command again to go on"
    job = Job(output=output, gauge=Gauge("pulling"), past="pulled", again=again)
    async with job.under_way(connected(settings)) as files:
        await _pulled(files, folder, concurrency, job)
    if not job.gauge.settled:
        output.say("nothing to pull")
    return job.exit


async def _pulled(files: FilesClient, folder: str, concurrency: int, job: Job) -> None:
    """Run the job in a task of its own: what is cut off is counted before it is stopped."""
    from openrouter_files import pull  # noqa: PLC0415  # not to show the help

    watch = job.gauge.watch
    task = asyncio.create_task(pull(files, folder, concurrency=concurrency, on_outcome=job.tell, on_progress=watch))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        job.gauge.cut()
        task.cancel()
        await asyncio.wait([task])
        raise
