"""`delete`: for good, so several at once only after a question or with --yes."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from .batch import Tally, each, stream
from .connecting import connected
from .describing import short_row
from .exits import Exit
from .results import Row, Rows
from .running import run
from .settings import CONCURRENCY, Settings, with_settings
from .wording import plain

if TYPE_CHECKING:
    from .output import Output

_HELP = """Delete files for good. There is no way back.

    One file is deleted without a question. For several there is one question on a terminal, and
    elsewhere, where nobody can be asked, --yes has to be said.
    """

_EPILOG = """\b
Examples:
  openrouter-files delete FILE_ID
  openrouter-files delete FILE_ID FILE_ID --dry-run
  openrouter-files list | xargs openrouter-files delete --yes"""


def _ask(count: int) -> bool:
    """Ask on the terminal; UsageError where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"to delete {count} files without being asked, add --yes")
    return click.confirm(f"Delete {count} files for good?", err=True)


@click.command("delete", help=_HELP, epilog=_EPILOG)
@click.argument("ids", nargs=-1, required=True, metavar="FILE_ID...")
@click.option("--missing-ok", is_flag=True, help="A file that is not there is as good as deleted.")
@click.option("--dry-run", is_flag=True, help="Only show the files that would be deleted.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@CONCURRENCY
@with_settings
def command(  # noqa: D103
    settings: Settings, *, ids: tuple[str, ...], missing_ok: bool, dry_run: bool, yes: bool, concurrency: int
) -> int:
    wanted = tuple(dict.fromkeys(ids))
    if dry_run:
        return run(settings, partial(_look, settings, wanted))
    if len(wanted) > 1 and not yes and not _ask(len(wanted)):
        return Exit.ERROR
    return run(settings, partial(_delete, settings, wanted, missing_ok, concurrency))


async def _delete(settings: Settings, ids: tuple[str, ...], missing_ok: bool, concurrency: int, output: Output) -> int:
    tally = Tally(output)
    with Rows(output) as rows:
        async with connected(settings) as files:

            async def one(file_id: str) -> None:
                deleted = await tally.attempt(file_id, files.delete(file_id, missing_ok=missing_ok))
                if deleted is not None:
                    rows.add(_row(deleted.id))

            await each(stream(ids), one, concurrency=concurrency)
    return tally.exit


def _row(file_id: str) -> Row:
    return Row(json={"id": file_id, "deleted": True}, plain=plain(file_id), cells={"deleted": plain(file_id)})


async def _look(settings: Settings, ids: tuple[str, ...], output: Output) -> int:
    """Show what would be deleted."""
    tally = Tally(output)
    with Rows(output) as rows:
        async with connected(settings) as files:
            for file_id in ids:
                file = await tally.attempt(file_id, files.retrieve(file_id))
                if file is not None:
                    rows.add(short_row(file, deleted=False))
    return tally.exit
