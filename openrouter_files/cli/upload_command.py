"""upload."""

from __future__ import annotations

import asyncio
import errno
import glob
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click
from attrs import evolve, frozen

from openrouter_files import Failed, LocalFile, Uploaded, local_files

from .errors import EXPECTED
from .job import Job
from .options import CONCURRENCY, Settings, Teaching, as_said, completed_as, connected, options_of, run, with_settings
from .output import Output
from .process import aside, chunks, chunks_of, lines
from .progress import Gauge

if TYPE_CHECKING:
    from openrouter_files import FilesClient


# ---- What an argument of `upload` stands for: a file, all files of a folder, those of a pattern.
#
# Found as it is needed: a folder of a million files is walked, not listed. The walk is the library's.


@frozen(kw_only=True)
class Finding:
    """One file to upload, or why there is none.

    Attributes:
        source: As the user knows it: a path, or ``-``.
        name: As it is to be stored.
        size: In bytes; None if only reading it tells.
        stream: Whether it is a pipe that the user named: it is read once, to its end.
        error: What stood in the way; None if nothing did.
    """

    source: str
    name: str
    size: int | None = None
    stream: bool = False
    error: OSError | None = None


class Filter(TypedDict):
    """Which of the files that are found are wanted; see ``local_files``."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    hidden: bool


async def find(given: str, wanted: Filter, *, keep_folders: bool = False) -> AsyncGenerator[Finding]:
    """Yield what one argument stands for.

    Args:
        given: A path, or a pattern that no shell has expanded.
        wanted: Which of the files are wanted.
        keep_folders: Whether a relative path is the stored name, folders included.
    """
    kind = await asyncio.to_thread(_kind, given)
    if kind == "pattern":
        found = False
        async with aclosing(_matches(given, hidden=wanted["hidden"])) as matches:
            async for match in matches:
                found = True
                async for file in local_files(match, **wanted):
                    yield evolve(await asyncio.to_thread(_named, file), stream=False)
        if not found:
            error = OSError(errno.ENOENT, "no file matches", given)
            yield Finding(source=given, name=given, error=error)
        return
    if kind == "folder":
        async for file in local_files(given, **wanted):
            yield Finding(source=file.path, name=file.filename, size=file.size)
        return
    async for file in local_files(LocalFile(given, _stored_name(given, keep_folders=keep_folders)), **wanted):
        yield await asyncio.to_thread(_named, file)


def _kind(given: str) -> str:
    if os.path.isdir(given):  # noqa: PTH112  # paths are text here: those of the user, as they are
        return "folder"
    return "pattern" if not os.path.lexists(given) and glob.has_magic(given) else "file"


async def _matches(pattern: str, *, hidden: bool) -> AsyncGenerator[LocalFile]:
    """Yield what a pattern matches, folders aside, named from the fixed part of the pattern on.

    Below a ``**`` it is the library's walk that finds: glob's goes round in circles, and keeps quiet about a
    folder that it cannot list.
    """
    start, parts = _fixed_part(pattern), PurePath(pattern).parts
    at = parts.index("**") if "**" in parts else len(parts)
    below = parts[at:]
    tops = glob.iglob(str(PurePath(*parts[:at])), include_hidden=hidden)  # noqa: PTH207  # lazy, hidden
    while (top := await asyncio.to_thread(next, tops, None)) is not None:
        is_folder = await asyncio.to_thread(os.path.isdir, top)
        if not below and not is_folder:
            yield _from(start, top)
        elif below and is_folder:
            dotted = hidden or any(part.startswith(".") for part in below)
            async for file in local_files(top, hidden=dotted):
                fits = _fits(tuple(file.filename.split("/")), below, hidden=hidden)
                # What the walk found and is a folder could not be listed: that is told.
                if fits or await asyncio.to_thread(os.path.isdir, file.path):
                    yield _from(start, file.path.removeprefix(f".{os.sep}") if at == 0 else file.path)


def _from(start: str, path: str) -> LocalFile:
    return LocalFile(path, PurePath(os.path.relpath(path, start)).as_posix())


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...], *, hidden: bool) -> bool:
    """Return whether a path matches a pattern, part by part, as glob understands it."""
    if not pattern:
        return not parts
    first, *_ = pattern
    if first == "**" and _fits(parts, pattern[1:], hidden=hidden):
        return True
    if not parts or (parts[0].startswith(".") and not hidden and not first.startswith(".")):
        return False
    if first == "**":
        return _fits(parts[1:], pattern, hidden=hidden)
    return fnmatch(parts[0], first) and _fits(parts[1:], pattern[1:], hidden=hidden)


def _fixed_part(pattern: str) -> str:
    """Return the folder that all matches of a pattern have in common."""
    path = PurePath(pattern)
    magic = next(at for at, part in enumerate(path.parts) if glob.has_magic(part))
    return str(PurePath(*path.parts[:magic]))


def _named(file: LocalFile) -> Finding:
    """Look at a file that the user named; a pipe is as good, but cannot say how long it is."""
    try:
        status = os.stat(file.path)  # noqa: PTH116
    except OSError as error:
        return Finding(source=file.path, name=file.filename, error=error)
    regular = stat.S_ISREG(status.st_mode)
    return Finding(source=file.path, name=file.filename, size=status.st_size if regular else None, stream=not regular)


def _stored_name(path: str, *, keep_folders: bool) -> str:
    parts = PurePath(path).parts
    relative = not PurePath(path).is_absolute() and ".." not in parts
    return "/".join(parts) if keep_folders and relative else PurePath(path).name


# ---- All that one `upload` is about: its arguments, then the lines of --files-from, found as they are needed.


@frozen(kw_only=True)
class Sources:
    """What to upload, as the user said it.

    Attributes:
        given: Paths and patterns; ``-`` is standard input.
        wanted: Which of the files are wanted.
        files_from: A file of paths, one per line, ``-`` for standard input; None for none.
        name: What the only source is stored as; None for its own name.
    """

    given: tuple[str, ...]
    wanted: Filter
    files_from: str | None = None
    name: str | None = None

    async def findings(self) -> AsyncGenerator[Finding]:
        """Yield every file, and every reason why there is none."""
        for given in self.given:
            if given == "-":
                yield Finding(source="-", name=self.name or "-", stream=True)
                continue
            async for finding in find(given, self.wanted):
                yield finding if self.name is None else evolve(finding, name=self.name)
        if self.files_from is not None:
            async with aclosing(_listed(self.files_from)) as paths:
                async for path in paths:
                    async for finding in find(path, self.wanted, keep_folders=True):
                        yield finding


async def _listed(files_from: str) -> AsyncGenerator[str]:
    """Yield the lines of a list that are not empty; of standard input as soon as they come."""
    if files_from == "-":
        async for line in lines():
            if path := line.removesuffix("\r"):
                yield path
        return
    # As file names are written: undecodable bytes survive, and nothing but a line's end ends a name.
    text = os.fsdecode(await aside(Path(files_from).read_bytes)).removeprefix("\ufeff")
    for line in text.split("\n"):
        if path := line.removesuffix("\r"):
            yield path


# ---- Looking ahead: what a bar needs to know the whole of any usual job, at a bounded price.

T = TypeVar("T")

_AHEAD = 10_000


@frozen
class _End:
    error: Exception | None = None


async def _fill(queue: asyncio.Queue[T | _End], items: AsyncGenerator[T]) -> None:
    try:
        async with aclosing(items):
            async for item in items:
                await queue.put(item)
    except Exception as error:  # noqa: BLE001  # raised again where the items are taken
        await queue.put(_End(error))
    else:
        await queue.put(_End())


async def _taken(queue: asyncio.Queue[T | _End]) -> AsyncGenerator[T]:
    while not isinstance(item := await queue.get(), _End):
        yield item
    if item.error is not None:
        raise item.error


@asynccontextmanager
async def ahead(items: AsyncGenerator[T]) -> AsyncGenerator[AsyncGenerator[T]]:
    """Hand out items that are found while others are worked on; nothing is left running behind."""
    queue: asyncio.Queue[T | _End] = asyncio.Queue(_AHEAD)
    filling = asyncio.create_task(_fill(queue, items))
    try:
        async with aclosing(_taken(queue)) as taken:
            yield taken
    finally:
        filling.cancel()
        await asyncio.wait([filling])


# ---- Uploading what was found: what `upload` and `demo` have in common.


@frozen(kw_only=True)
class How:
    """How to upload: what the bulk API takes."""

    concurrency: int
    journal: str | None = None
    preflight: bool = True
    skip_known: bool = False
    verify: bool = False


@frozen(kw_only=True)
class Uploads:
    """One job.

    Attributes:
        files: Where they go.
        job: How it goes.
    """

    files: FilesClient
    job: Job
    how: How

    async def all(self, found: AsyncGenerator[Finding]) -> None:
        """Upload what was found; an error that all would meet is raised."""
        from openrouter_files import uploading  # noqa: PLC0415  # not to show the help

        async with ahead(self._counted(found)) as coming, aclosing(self._local_files(coming)) as sources:
            how = self.how
            outcomes = uploading(
                self.files,
                sources,
                concurrency=how.concurrency,
                on_progress=self.job.gauge.watch,
                journal=how.journal,
                preflight=how.preflight,
                skip_known=how.skip_known,
                verify=how.verify,
            )
            await self.job.take(outcomes)

    async def _counted(self, found: AsyncGenerator[Finding]) -> AsyncGenerator[Finding]:
        async with aclosing(found):
            async for finding in found:
                self.job.gauge.expect(0 if finding.error else finding.size)
                yield finding
        self.job.gauge.expect_no_more()

    async def _local_files(self, coming: AsyncGenerator[Finding]) -> AsyncGenerator[LocalFile]:
        """Yield what the bulk API takes; the rest has its outcome here."""
        async for finding in coming:
            source = LocalFile(finding.source, finding.name)
            if finding.error is not None:
                self.job.tell(Failed(source=source, error=finding.error))
            elif finding.stream and self.how.journal is None:
                self.job.tell(await self._streamed(source))
            else:
                self.job.gauge.hand_over(source, finding.size or 0)
                yield source

    async def _streamed(self, source: LocalFile) -> Uploaded | Failed:
        """Upload what comes through a pipe: it can be read once, so no preflight and no journal help it."""
        content = chunks() if source.path == "-" else chunks_of(source.path)
        with self.job.gauge.follow(source.filename) as hear:
            try:
                file = await self.files.upload(content, filename=source.filename, on_progress=hear)
            except EXPECTED as error:
                return Failed(source=source, error=error)
            return Uploaded(source=source, file=file)


# ---- `upload`: what may be asked for, and what makes no sense.

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
