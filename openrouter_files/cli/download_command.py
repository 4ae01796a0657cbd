"""`download`: to files that appear only when they are whole, or to stdout."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from .batch import Tally
from .connecting import connected
from .running import run
from .saving import Overwrite, Wanted, is_folder, save
from .settings import CONCURRENCY, Settings, with_settings
from .standard import write
from .teaching import Teaching, completed_as
from .usage import check_ids

if TYPE_CHECKING:
    from openrouter_files import FilesClient

    from .output import Output

_HELP = """Save files under the names that the server knows them by, made safe, in the current folder.

    Only what a model wrote, or what was promoted from a container, can be downloaded; the service
    does not give back what was uploaded. A file appears only when it is whole.

    A path given with --to is replaced when the download is complete; in a folder, a file that
    exists is left alone, and that is an error. Both unless --overwrite says otherwise: with skip,
    the same command again goes on after an interruption. To mirror all that is new: pull.

    \b
    With --json one object per file, by "outcome":
      downloaded  id, filename, path, size_bytes
      skipped     reason: exists; id, filename
      failed      error.type, error.message, ...; source: the id
    """

_EPILOG = """\b
Examples:
  openrouter-files download FILE_ID
  openrouter-files download FILE_ID --to report.md
  openrouter-files download FILE_ID FILE_ID --to out/ --overwrite rename
  openrouter-files download --all --to out/ --keep-folders --overwrite skip
  openrouter-files download FILE_ID --to - | less"""


@click.command("download", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("ids", nargs=-1, metavar="[FILE_ID]...")
@click.option("--all", "everything", is_flag=True, help="All files of the workspace that can be downloaded.")
@click.option(
    "--to", default=".", metavar="PATH|FOLDER|-", shell_complete=completed_as("file"),
    help="Where to; a new folder ends with '/', '-' is stdout.",
)  # fmt: skip
@click.option("--overwrite", type=click.Choice(["replace", "error", "skip", "rename"]), help="If the name is taken.")
@click.option("--keep-folders", is_flag=True, help="Save a/b.txt as b.txt in a folder a, not as b.txt.")
@CONCURRENCY
@with_settings
def command(  # noqa: D103
    settings: Settings,
    *,
    ids: tuple[str, ...],
    everything: bool,
    to: str,
    overwrite: Overwrite | None,
    keep_folders: bool,
    concurrency: int,
) -> int:
    check_target(settings, ids, to, everything=everything, how="FILE_ID")
    if to == "-":
        return run(settings, partial(_print, settings, ids))
    wanted = Wanted(
        ids=tuple(dict.fromkeys(ids)), to=to, overwrite=overwrite, keep_folders=keep_folders, concurrency=concurrency
    )
    return run(settings, partial(save, settings, wanted))


def check_target(settings: Settings, names: tuple[str, ...], to: str, *, everything: bool, how: str) -> None:
    """Refuse what makes no sense, before anything is sent; ``how`` is how files are named."""
    if bool(names) == everything:
        raise click.UsageError(f"name files by {how}, or take them --all")
    if to == "-" and settings.json:
        raise click.UsageError("--to - fills stdout with the file: there is no room for --json")
    if to == "-" and everything:
        raise click.UsageError("--all needs a folder")
    if (everything or len(names) > 1) and to != "-" and not is_folder(to):
        raise click.UsageError(f"several files need a folder, and {to} is none; a new one has to end with '/'")


async def _print(settings: Settings, ids: tuple[str, ...], output: Output) -> int:
    """Write the files to stdout, one after the other."""
    tally = Tally(output)
    async with connected(settings) as files:
        check_ids(files, ids)
        for file_id in ids:
            await tally.attempt(file_id, _written(files, file_id))
    return tally.exit


async def _written(files: FilesClient, file_id: str) -> bool:
    async with files.download(file_id) as chunks:
        async for chunk in chunks:
            await write(chunk)
    return True
