"""`upload`: what may be asked for, and what makes no sense."""

from __future__ import annotations

import glob
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .batch import Tally
from .connecting import connected
from .describing import short_row
from .patterns import Patterns
from .results import Rows
from .running import run
from .settings import CONCURRENCY, Settings, with_settings
from .sources import Sources
from .stdout import write_line
from .uploading import Uploads
from .wording import plain

if TYPE_CHECKING:
    from openrouter_files import File

    from .finding import Finding
    from .output import Output

_MOST_ROWS = 200

_HELP = """Upload files, folders or standard input, many at once.

    A folder is uploaded with all that is inside; the files are stored under their paths inside of
    it (data/a/b.csv as a/b.csv). Hidden files and folders in it are left out, links to folders are
    not followed. A file is stored under its own name, without folders, except those of --files-from.

    Results are the ids of the stored files, one per line as soon as each is stored; with --json
    all that is known about them.
    """

_EPILOG = """\b
Examples:
  openrouter-files upload report.pdf
  openrouter-files upload data/ --include '*.csv' --exclude tmp
  openrouter-files upload 'logs/**/*.txt' --concurrency 16
  git ls-files docs | openrouter-files upload --files-from -
  tar cf - src | base64 | openrouter-files upload - --name src.tar.b64
  openrouter-files upload data/ --dry-run"""


def _check(sources: Sources, settings: Settings) -> None:
    """Refuse what makes no sense, before anything is read or sent."""
    if not sources.given and sources.files_from is None:
        raise click.UsageError("nothing to upload: name files or folders, '-' for standard input, or --files-from")
    readers = [*sources.given, sources.files_from, settings.api_key_file].count("-")
    if readers > 1:
        raise click.UsageError("standard input can be read only once")
    if "-" in sources.given and sources.name is None:
        raise click.UsageError("standard input has no name: add --name")
    if sources.name is not None and not _is_single(sources):
        raise click.UsageError("--name is for a single file")


def _is_single(sources: Sources) -> bool:
    if len(sources.given) != 1 or sources.files_from is not None:
        return False
    path = Path(sources.given[0])
    return path.is_file() or not (path.is_dir() or glob.has_magic(sources.given[0]))


@click.command("upload", help=_HELP, epilog=_EPILOG)
@click.argument("sources", nargs=-1, metavar="[FILE|FOLDER|PATTERN|-]...")
@click.option("--name", help="Store the only file as this; folders are part of it: data/r.csv.")
@click.option("--files-from", metavar="FILE|-", help="Also upload the paths in this list, one per line.")
@click.option("--include", multiple=True, metavar="PATTERN", help="Only what matches: '*.csv', 'data/*'. Repeatable.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Not what matches, nor what lies below it.")
@click.option("--hidden", is_flag=True, help="Hidden files inside folders, too.")
@click.option("--dry-run", is_flag=True, help="Only show what would be uploaded: source, bytes, name.")
@CONCURRENCY
@with_settings
def command(  # noqa: D103  # its help is above
    settings: Settings,
    *,
    sources: tuple[str, ...],
    name: str | None,
    files_from: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    hidden: bool,
    dry_run: bool,
    concurrency: int,
) -> int:
    patterns = Patterns(include=include, exclude=exclude, hidden=hidden)
    wanted = Sources(given=sources, files_from=files_from, patterns=patterns, name=name)
    _check(wanted, settings)
    if dry_run:
        return run(settings, partial(_show, wanted))
    return run(settings, partial(_upload, settings, wanted, concurrency))


async def _upload(settings: Settings, wanted: Sources, concurrency: int, output: Output) -> int:
    tally = Tally(output)
    with Rows(output, most=_MOST_ROWS) as rows:

        def stored(file: File, finding: Finding) -> None:
            rows.add(short_row(file, source=finding.source))

        async with connected(settings) as files:
            with tally.moving("upload") as moving:
                uploads = Uploads(files=files, moving=moving, tally=tally, stored=stored)
                await uploads.all(wanted.findings(), concurrency=concurrency)
    if not tally.done + tally.failed:
        output.say("nothing to upload")
    return tally.exit


async def _show(wanted: Sources, output: Output) -> int:
    """Show what would be uploaded; without a key, without a request."""
    tally = Tally(output)
    async for finding in wanted.findings():
        if finding.error is not None:
            tally.fail(finding.error, finding.source)
        else:
            tally.done += 1
            _would(finding, output)
    return tally.exit


def _would(finding: Finding, output: Output) -> None:
    if output.style == "json":
        output.json({"source": finding.source, "filename": finding.name, "size_bytes": finding.size})
    else:
        bytes_ = "-" if finding.size is None else str(finding.size)
        write_line("\t".join((plain(finding.source), bytes_, plain(finding.name))))
