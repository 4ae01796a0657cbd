"""`upload`: what may be asked for, and what makes no sense."""

from __future__ import annotations

import glob
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import evolve

from .connecting import connected, options_of
from .finding import Filter
from .gauge import Gauge
from .job import Job
from .running import run
from .settings import CONCURRENCY, Settings, with_settings
from .sources import Sources
from .teaching import Teaching, completed_as
from .uploading import How, Uploads
from .usage import as_said

if TYPE_CHECKING:
    from .output import Output

_HELP = """Upload files, folders or standard input, many at once.

    A folder is uploaded with all that is inside; the files are stored under their paths inside of
    it (data/a/b.csv as a/b.csv). Hidden files and folders in it are left out, links to folders are
    not followed. A file is stored under its own name, without folders, except those of --files-from.

    Results are the ids of the stored files, one per line as soon as each is stored. What the
    service would surely refuse (empty, over 104,857,600 bytes, of a type or name that it does not
    take, unreadable) is not sent and counts as failed; what is given twice is sent once.

    With --journal FILE nothing is stored twice, whatever happens: after Ctrl-C, a crash or a power
    cut the same command line goes on where the last one ended, and what is done costs no request.
    Ids of files that were stored before are results, too.

    \b
    With --json one object per file, by "outcome":
      uploaded  id, filename, size_bytes, mime_type, created_at, ...; source
      skipped   reason: done, known (the same content) or duplicate (given twice); id; source
      refused   reason: empty, too large, type, name, unreadable; error.message; source
      failed    error.type, error.message, error.status, ...; source
    """

_EPILOG = """\b
Examples:
  openrouter-files upload report.pdf
  openrouter-files upload data/ --include '*.csv' --exclude tmp
  openrouter-files upload 'logs/**/*.txt' --concurrency 16
  git ls-files docs | openrouter-files upload --files-from -
  tar cf - src | base64 | openrouter-files upload - --name src.tar.b64
  openrouter-files upload data/ --journal data.db --concurrency 32
  openrouter-files upload data/ --journal data.db --dry-run"""


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


def _check_journal(sources: Sources, how: How) -> None:
    if how.journal is None and (how.skip_known or how.verify):
        raise click.UsageError("--skip-known and --verify are about a journal: add --journal FILE")
    if how.journal is not None and "-" in sources.given:
        raise click.UsageError("standard input cannot be read a second time: it has no place in a journal")


def _is_single(sources: Sources) -> bool:
    if len(sources.given) != 1 or sources.files_from is not None:
        return False
    path = Path(sources.given[0])
    return path.is_file() or not (path.is_dir() or glob.has_magic(sources.given[0]))


@click.command("upload", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("sources", nargs=-1, metavar="[FILE|FOLDER|PATTERN|-]...", shell_complete=completed_as("file"))
@click.option("--name", help="Store the only file as this; folders are part of it: data/r.csv.")
@click.option(
    "--files-from", metavar="FILE|-", shell_complete=completed_as("file"),
    help="Also upload the paths in this list, one per line.",
)  # fmt: skip
@click.option("--include", multiple=True, metavar="PATTERN", help="Only what matches: '*.csv', 'data/*'. Repeatable.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Not what matches, nor what lies below it.")
@click.option("--hidden", is_flag=True, help="Hidden files inside folders, too.")
@click.option(
    "--journal", metavar="FILE", shell_complete=completed_as("file"),
    help="Remembers what is stored: the same command again goes on.",
)  # fmt: skip
@click.option("--skip-known", is_flag=True, help="With --journal: not what is stored under another name.")
@click.option("--verify", is_flag=True, help="With --journal: ask whether what was stored is still there.")
@click.option("--no-preflight", is_flag=True, help="Send also what the service will surely refuse.")
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
    journal: str | None,
    skip_known: bool,
    verify: bool,
    no_preflight: bool,
    concurrency: int,
) -> int:
    kept = Filter(include=include, exclude=exclude, hidden=hidden)
    wanted = Sources(given=sources, files_from=files_from, wanted=kept, name=name)
    _check(wanted, settings)
    how = How(
        concurrency=concurrency,
        journal=journal,
        preflight=not no_preflight,
        skip_known=skip_known,
        verify=verify,
    )
    _check_journal(wanted, how)
    return run(settings, partial(_rehearse if dry_run else _upload, settings, wanted, how))


async def _upload(settings: Settings, wanted: Sources, how: How, output: Output) -> int:
    job = Job(
        output=output,
        gauge=Gauge("uploading"),
        past="uploaded",
        already="already stored",
        again="run the same command again to go on" if how.journal else None,
        stopped=None if how.journal else "what is stored stays; with --journal FILE the same command could go on",
    )
    async with job.under_way(connected(settings)) as files:
        await Uploads(files=files, job=job, how=how).all(wanted.findings())
    return _end(job)


async def _rehearse(settings: Settings, wanted: Sources, how: How, output: Output) -> int:
    """Show what would be uploaded; without a key, without a request."""
    from .rehearsal import Rehearsal, Rehearsing, copied, without_journal  # noqa: PLC0415  # the client costs time

    job = Rehearsal(
        output=output, gauge=Gauge("looking at"), past="would be uploaded", already="already stored", moves=False
    )
    with as_said():
        client = Rehearsing("none", base_url=settings.base_url, options=options_of(settings))
    found = wanted.findings() if how.journal is None else without_journal(wanted.findings(), how.journal)
    async with copied(how.journal) as journal, job.under_way(client) as files:
        # One by one, so that they are shown as they were found.
        how = evolve(how, journal=journal, concurrency=1, verify=False)
        await Uploads(files=files, job=job, how=how).all(found)
    return _end(job)


def _end(job: Job) -> int:
    if not job.gauge.settled:
        job.output.say("nothing to upload")
    return job.exit
