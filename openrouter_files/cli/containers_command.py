"""`containers`: the files inside sandbox containers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from .containing import Wanted, download, list_all, print_all, promote, show
from .download_command import check_target
from .running import run
from .settings import Settings, with_settings_at_home
from .teaching import Commands, Teaching, completed_as

if TYPE_CHECKING:
    from .saving import Overwrite

_HELP = """The files inside the sandbox containers in which models run their tools.

    CONTAINER is the id of a container, as the answer of a model names it; FILE is the id or the
    path of a file in it. A container knows neither --workspace nor --provider: it belongs to the
    key's own workspace. What it holds is gone with it; promote what should stay.
    """

_EPILOG = """\b
Examples:
  openrouter-files containers list sess_abc
  openrouter-files containers download sess_abc out/report.csv
  openrouter-files containers promote sess_abc out/report.csv

\b
To try it without a key:
  openrouter-files serve --container-file sess_abc:out/report.csv=report.csv"""


@click.group("containers", cls=Commands, help=_HELP, epilog=_EPILOG)
def command() -> None:  # noqa: D103  # its help is above
    pass


_CONTAINER = click.argument("container", metavar="CONTAINER")
_FILES = click.argument("names", nargs=-1, required=True, metavar="FILE...")

_LIST = """List the files of a container, by path.

    In a pipe: one id per line; with --long id, bytes, time, source and path, with tabs between
    them. A container that nobody knows is empty. With --json all that is known:
    id, container_id, path, size_bytes, created_at, source, extra.
    """

_LIST_EPILOG = """\b
Examples:
  openrouter-files containers list sess_abc --long
  openrouter-files containers list sess_abc --json | jq -r .path"""


@command.command("list", cls=Teaching, help=_LIST, epilog=_LIST_EPILOG, short_help="List the files of a container.")
@_CONTAINER
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many files.")
@click.option("-l", "--long", is_flag=True, help="With source.")
@with_settings_at_home
def _list(settings: Settings, *, container: str, limit: int | None, long: bool) -> int:
    return run(settings, partial(list_all, settings, container, limit, long))


_SHOW = """Show all that is known about files of a container.

    In a pipe: one field per line, name and value with a tab between, and an empty line between
    files.
    """

_SHOW_EPILOG = """\b
Examples:
  openrouter-files containers show sess_abc out/report.csv
  openrouter-files containers show sess_abc out/report.csv --json | jq .size_bytes"""


@command.command("show", cls=Teaching, help=_SHOW, epilog=_SHOW_EPILOG, short_help="Show all about some of them.")
@_CONTAINER
@_FILES
@with_settings_at_home
def _show(settings: Settings, *, container: str, names: tuple[str, ...]) -> int:
    return run(settings, partial(show, settings, container, names))


_DOWNLOAD = """Save files of a container, under their own names made safe, in the current folder.

    A file appears only when it is whole. A path given with --to is replaced when the download is
    complete; in a folder, a file that exists is left alone, and that is an error. Both unless
    --overwrite says otherwise: with skip, the same command again goes on after an interruption.

    \b
    With --json one object per file, by "outcome":
      downloaded  id, container_id, filename (the path in the container), path, size_bytes
      skipped     reason: exists; id, filename; source
      failed      error.type, error.message, ...; source: the FILE
    """

_DOWNLOAD_EPILOG = """\b
Examples:
  openrouter-files containers download sess_abc out/report.csv --to report.csv
  openrouter-files containers download sess_abc --all --to out/ --keep-folders
  openrouter-files containers download sess_abc out/report.csv --to - | head"""


@command.command("download", cls=Teaching, help=_DOWNLOAD, epilog=_DOWNLOAD_EPILOG, short_help="Save files, or print.")
@_CONTAINER
@click.argument("names", nargs=-1, metavar="[FILE]...")
@click.option("--all", "everything", is_flag=True, help="All files of the container.")
@click.option(
    "--to", default=".", metavar="PATH|FOLDER|-", shell_complete=completed_as("file"),
    help="Where to; a new folder ends with '/', '-' is stdout.",
)  # fmt: skip
@click.option("--overwrite", type=click.Choice(["replace", "error", "skip", "rename"]), help="If the name is taken.")
@click.option("--keep-folders", is_flag=True, help="Save a/b.txt as b.txt in a folder a, not as b.txt.")
@with_settings_at_home
def _download(
    settings: Settings,
    *,
    container: str,
    names: tuple[str, ...],
    everything: bool,
    to: str,
    overwrite: Overwrite | None,
    keep_folders: bool,
) -> int:
    check_target(settings, names, to, everything=everything, how="path or id")
    names = tuple(dict.fromkeys(names))
    if to == "-":
        return run(settings, partial(print_all, settings, container, names))
    wanted = Wanted(container=container, names=names, to=to, overwrite=overwrite, keep_folders=keep_folders)
    return run(settings, partial(download, settings, wanted))


_PROMOTE = """Copy files of a container into the workspace; each gets a new id and its path as its name.

    Results are the ids of the copies, one per line as soon as each is made. Nothing is copied
    twice because an answer got lost; if nobody can tell, that is status 7.

    \b
    With --json one object per file, by "outcome":
      promoted  id, filename, size_bytes, mime_type, created_at, ...; source: the FILE; container_id
      failed    error.type, error.message, ...; source: the FILE
    """

_PROMOTE_EPILOG = """\b
Examples:
  openrouter-files containers promote sess_abc out/report.csv out/report.pdf
  openrouter-files containers list sess_abc | xargs openrouter-files containers promote sess_abc"""


@command.command("promote", cls=Teaching, help=_PROMOTE, epilog=_PROMOTE_EPILOG, short_help="Copy into the workspace.")
@_CONTAINER
@_FILES
@with_settings_at_home
def _promote(settings: Settings, *, container: str, names: tuple[str, ...]) -> int:
    return run(settings, partial(promote, settings, container, tuple(dict.fromkeys(names))))
