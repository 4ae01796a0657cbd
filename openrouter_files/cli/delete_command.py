"""delete."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

import click
from attrs import frozen

from . import options as age
from .formatting import files as count_of
from .formatting import size
from .job import Job, Tally
from .options import CONCURRENCY, Settings, Teaching, check_ids, connected, run, with_settings
from .output import Output, Rows, short_row
from .process import Exit
from .progress import Gauge

if TYPE_CHECKING:
    from openrouter_files import File, FilesClient


# ---- Which files of a workspace are to be deleted: by name, by age, or both.

_SHOWN = 20


@frozen(kw_only=True)
class Doomed:
    """What is wanted of the files; all that is said must hold.

    Attributes:
        patterns: One of them has to match: with a slash inside the whole name, otherwise its last part.
        before: They were made earlier.
    """

    patterns: tuple[str, ...] = ()
    before: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self.patterns) or self.before is not None

    def want(self, file: File) -> bool:
        """Whether a file is meant."""
        named = not self.patterns or any(_matches(file.filename, pattern) for pattern in self.patterns)
        return named and (self.before is None or (file.created_at is not None and file.created_at < self.before))

    async def among(self, files: FilesClient) -> list[File]:
        """Return those of a workspace."""
        async with aclosing(files.list()) as listing:
            return [file async for file in listing if self.want(file)]


def _matches(name: str, pattern: str) -> bool:
    """Not like --include: a folder that matches by accident must not take all that is in it along."""
    return fnmatchcase(name if "/" in pattern else name.rsplit("/", 1)[-1], pattern)


def overview(doomed: Sequence[File]) -> Iterator[str]:
    """Yield some lines about them, for people."""
    yield f"{count_of(len(doomed))}, {size(sum(file.size_bytes or 0 for file in doomed))}:"
    for file in doomed[:_SHOWN]:
        yield "  " + "  ".join(short_row(file).cells.values())
    if len(doomed) > _SHOWN:
        yield f"  ... and {len(doomed) - _SHOWN:,} more"


# ---- `delete`: for good, so several at once only after a question or with --yes.

_HELP = """Delete files for good, by id, or by name and age. There is no way back.

    One id is deleted without a question. For several there is one question on a terminal, and
    elsewhere, where nobody can be asked, --yes has to be said.

    With --pattern or --older-than (with both, both must hold) the files that are meant are shown
    first, and there is always a question, or --yes. What is gone meanwhile is no failure then.

    \b
    With --json one object per file, by "outcome":
      deleted   id, deleted: true
      failed    error.type, error.message, ...; source: the id
    """

_EPILOG = """\b
Examples:
  openrouter-files delete FILE_ID
  openrouter-files delete FILE_ID FILE_ID --dry-run
  openrouter-files delete --pattern '*.tmp' --older-than 30d --dry-run
  openrouter-files delete --older-than 2026-01-31 --yes
  openrouter-files list | xargs openrouter-files delete --yes"""


@click.command("delete", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("ids", nargs=-1, metavar="[FILE_ID]...")
@click.option(
    "--pattern", "patterns", multiple=True, metavar="GLOB", help="Files of such names: '*.tmp', 'logs/*'. Repeatable."
)
@click.option(
    "--older-than", "before", callback=age.read, metavar="AGE", help="Files older than 30d, 12h, or 2026-01-31."
)
@click.option("--missing-ok", is_flag=True, help="A file that is not there is as good as deleted.")
@click.option("--dry-run", is_flag=True, help="Only show the files that would be deleted.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@CONCURRENCY
@with_settings
def command(  # noqa: D103
    settings: Settings,
    *,
    ids: tuple[str, ...],
    patterns: tuple[str, ...],
    before: datetime | None,
    missing_ok: bool,
    dry_run: bool,
    yes: bool,
    concurrency: int,
) -> int:
    doomed = Doomed(patterns=patterns, before=before)
    if bool(ids) == bool(doomed):
        raise click.UsageError("name files by FILE_ID, or by --pattern and --older-than")
    if doomed:
        return _delete_found(settings, doomed, concurrency, dry_run=dry_run, yes=yes)
    wanted = tuple(dict.fromkeys(ids))
    if dry_run:
        return run(settings, partial(_look, settings, wanted))
    if len(wanted) > 1 and not yes and not _ask(len(wanted)):
        return Exit.ERROR
    return run(settings, partial(_delete, settings, wanted, concurrency, missing_ok))


def _ask(count: int) -> bool:
    """Ask on the terminal; UsageError where there is none."""
    _check_terminal(count_of(count))
    return click.confirm(f"Delete {count_of(count)} for good?", err=True)


def _check_terminal(what: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"to delete {what} without being asked, add --yes")


def _delete_found(settings: Settings, doomed: Doomed, concurrency: int, *, dry_run: bool, yes: bool) -> int:
    """Look, ask, delete; the question is asked between two loops, where Ctrl-C simply ends it."""
    if not (dry_run or yes):
        _check_terminal("what is found")
    found: list[File] = []
    status = run(settings, partial(_find, settings, doomed, found, dry_run))
    if status != Exit.DONE or dry_run or not found:
        return status
    if not yes and not _ask(len(found)):
        return Exit.ERROR
    return run(settings, partial(_delete, settings, found, concurrency, True))


async def _find(settings: Settings, doomed: Doomed, found: list[File], dry_run: bool, output: Output) -> int:
    async with connected(settings) as files:
        found += await doomed.among(files)
    if not found:
        output.say("no file is meant")
    elif dry_run:
        _show(found, output)
    else:
        for line in overview(found):
            output.say(line)
    return Exit.DONE


def _show(found: Sequence[File], output: Output) -> None:
    with Rows(output) as rows:
        for file in found:
            rows.add(short_row(file, outcome="would be deleted", deleted=False))


async def _delete(
    settings: Settings, doomed: Sequence[File | str], concurrency: int, missing_ok: bool, output: Output
) -> int:
    from openrouter_files import deleting  # noqa: PLC0415  # not to show the help

    stopped = "what is deleted is gone; the same command" + ("" if missing_ok else " with --missing-ok") + " goes on"
    job = Job(output=output, gauge=Gauge("deleting"), past="deleted", moves=False, stopped=stopped)
    async with job.under_way(connected(settings)) as files:
        check_ids(files, (file for file in doomed if isinstance(file, str)))
        for _ in doomed:
            job.gauge.expect(0)
        job.gauge.expect_no_more()
        watch = job.gauge.watch
        await job.take(deleting(files, doomed, concurrency=concurrency, missing_ok=missing_ok, on_progress=watch))
    return job.exit


async def _look(settings: Settings, ids: tuple[str, ...], output: Output) -> int:
    """Show what would be deleted."""
    tally = Tally(output)
    with Rows(output) as rows:
        async with connected(settings) as files:
            check_ids(files, ids)
            for file_id in ids:
                file = await tally.attempt(file_id, files.retrieve(file_id))
                if file is not None:
                    rows.add(short_row(file, outcome="would be deleted", deleted=False))
    return tally.exit
