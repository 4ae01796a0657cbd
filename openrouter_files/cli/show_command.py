"""`show`: all that is known about some files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from .batch import Tally
from .connecting import connected
from .describing import all_fields, as_json
from .running import run
from .settings import Settings, with_settings
from .stdout import write_line

if TYPE_CHECKING:
    from openrouter_files import File

    from .output import Output

_HELP = """Show all that is known about files.

    In a pipe: one field per line, name and value with a tab between, and an empty line between
    files.
    """

_EPILOG = """\b
Examples:
  openrouter-files show or_file_011CNha8iCJcU1wXNR6q4V8w
  openrouter-files show FILE_ID --json | jq .size_bytes"""


@click.command("show", help=_HELP, epilog=_EPILOG)
@click.argument("ids", nargs=-1, required=True, metavar="FILE_ID...")
@with_settings
def command(settings: Settings, *, ids: tuple[str, ...]) -> int:  # noqa: D103
    return run(settings, partial(_show, settings, ids))


async def _show(settings: Settings, ids: tuple[str, ...], output: Output) -> int:
    tally = Tally(output)
    async with connected(settings) as files:
        for file_id in ids:
            file = await tally.attempt(file_id, files.retrieve(file_id))
            if file is not None:
                _describe(file, output, is_first=tally.done == 1)
    return tally.exit


def _describe(file: File, output: Output, *, is_first: bool) -> None:
    if output.style == "json":
        output.json(as_json(file))
    elif output.style == "plain":
        lines = [f"{name}\t{value}" for name, value in all_fields(file).items()]
        write_line("\n".join(lines if is_first else ["", *lines]))
    else:
        from .tables import table  # noqa: PLC0415  # rich is for people only

        table([{"field": name, "value": value} for name, value in all_fields(file).items()])
