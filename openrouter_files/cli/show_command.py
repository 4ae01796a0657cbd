"""`show`: all that is known about some files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from .job import Tally
from .options import Settings, Teaching, check_ids, connected, run, with_settings
from .output import all_fields, as_json, describe

if TYPE_CHECKING:
    from .output import Output

_HELP = """Show all that is known about files.

    In a pipe: one field per line, name and value with a tab between, and an empty line between
    files.
    """

_EPILOG = """\b
Examples:
  openrouter-files show or_file_011CNha8iCJcU1wXNR6q4V8w
  openrouter-files show FILE_ID --json | jq .size_bytes"""


@click.command("show", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("ids", nargs=-1, required=True, metavar="FILE_ID...")
@with_settings
def command(settings: Settings, *, ids: tuple[str, ...]) -> int:  # noqa: D103
    return run(settings, partial(_show, settings, ids))


async def _show(settings: Settings, ids: tuple[str, ...], output: Output) -> int:
    tally = Tally(output)
    async with connected(settings) as files:
        check_ids(files, ids)
        for file_id in ids:
            file = await tally.attempt(file_id, files.retrieve(file_id))
            if file is not None:
                describe(output, as_json(file), all_fields(file), is_first=tally.done == 1)
    return tally.exit
