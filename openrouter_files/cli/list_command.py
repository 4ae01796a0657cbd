"""`list`: the files of a workspace, oldest first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from .options import Settings, Teaching, connected, run, with_settings
from .output import long_row, page_size, short_row, show_listing

if TYPE_CHECKING:
    from .output import Output

_HELP = """List the files of the workspace, oldest first.

    In a pipe: one id per line; with --long id, bytes, time, type, downloadable and name, with
    tabs between them. With --json all that is known.
    """

_EPILOG = """\b
Examples:
  openrouter-files list --long
  openrouter-files list --json | jq -r 'select(.downloadable) | .id'
  openrouter-files list --after FILE_ID --limit 100
  openrouter-files list | xargs openrouter-files delete --yes"""


@click.command("list", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many files.")
@click.option("--after", metavar="ID", help="Only what came after this file.")
@click.option("-l", "--long", is_flag=True, help="With type and whether it can be downloaded.")
@with_settings
def command(settings: Settings, *, limit: int | None, after: str | None, long: bool) -> int:  # noqa: D103
    return run(settings, partial(_list, settings, limit, after, long))


async def _list(settings: Settings, limit: int | None, after: str | None, long: bool, output: Output) -> int:
    async with connected(settings) as files:
        listing = files.list(page_size=page_size(limit), after=after)
        return await show_listing(listing, limit, long_row if long else short_row, output)
