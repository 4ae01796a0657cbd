"""download."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from attrs import define, field, frozen

from openrouter_files import Downloaded, Failed, FilesError

from .errors import EXPECTED
from .formatting import files as count_of
from .formatting import plain
from .job import Job, Tally
from .options import CONCURRENCY, Settings, Teaching, check_ids, completed_as, connected, run, with_settings
from .output import Output, as_json, short_row
from .process import Exit, aside, write
from .progress import Gauge, drawn

if TYPE_CHECKING:
    from openrouter_files import File, FilesClient


# ---- Saving files: to a path, or many of them into a folder.

Overwrite = Literal["replace", "error", "skip", "rename"]


@frozen(kw_only=True)
class Wanted:
    """What to save where.

    Attributes:
        ids: Of the files; none means all that can be downloaded.
        to: A path for one file, or a folder.
    """

    ids: tuple[str, ...]
    to: str
    overwrite: Overwrite | None
    keep_folders: bool
    concurrency: int


def is_folder(to: str) -> bool:
    """Whether a place is a folder, or is to be one."""
    return to.endswith("/") or Path(to).is_dir()


async def save(settings: Settings, wanted: Wanted, output: Output) -> int:
    """Save all that is wanted, and return the exit status."""
    stopped = "the same command with --overwrite skip goes on" if is_folder(wanted.to) else "run it again"
    job = Job(output=output, gauge=Gauge("downloading"), past="downloaded", stopped=stopped)
    if wanted.to.endswith("/"):
        await aside(partial(Path(wanted.to).mkdir, parents=True, exist_ok=True))
    async with job.under_way(connected(settings)) as files:
        check_ids(files, wanted.ids)
        if is_folder(wanted.to):
            await _save_many(files, wanted, job)
        else:
            job.tell(await _save_one(files, wanted, job))
    if not job.gauge.settled:
        output.say("nothing to download")
    return job.exit


async def _save_many(files: FilesClient, wanted: Wanted, job: Job) -> None:
    from openrouter_files import downloading  # noqa: PLC0415  # not to show the help

    async with aclosing(_files(files, wanted, job)) as sources:
        outcomes = downloading(
            files,
            sources,
            wanted.to,
            concurrency=wanted.concurrency,
            overwrite=wanted.overwrite or "error",
            keep_folders=wanted.keep_folders,
            on_progress=job.gauge.watch,
        )
        await job.take(outcomes)


async def _files(files: FilesClient, wanted: Wanted, job: Job) -> AsyncGenerator[File | str]:
    """Yield what was named, or what the listing has to give."""
    for _ in wanted.ids:
        job.gauge.expect(None)
    if wanted.ids:
        job.gauge.expect_no_more()
    for file_id in wanted.ids:
        yield file_id
    if not wanted.ids:
        async for file in _downloadable(files):
            job.gauge.expect(file.size_bytes)
            job.gauge.hand_over(file.id, file.size_bytes or 0)
            yield file
        job.gauge.expect_no_more()


async def _downloadable(files: FilesClient) -> AsyncGenerator[File]:
    async with aclosing(files.list()) as listing:
        async for file in listing:
            if file.downloadable:
                yield file


async def _save_one(files: FilesClient, wanted: Wanted, job: Job) -> Downloaded | Failed:
    job.gauge.expect(None)
    job.gauge.expect_no_more()
    (file_id,) = wanted.ids
    try:
        file = await files.retrieve(file_id)
        with job.gauge.follow(file.filename) as hear:
            path = await files.download_to(file, wanted.to, overwrite=wanted.overwrite, on_progress=hear)
    except EXPECTED as error:
        return Failed(source=file_id, error=error)
    return Downloaded(file=file, path=path)


# ---- What a model made: found, told, saved.


@frozen(kw_only=True)
class Saving:
    """Where to save it, and what to do about names that are taken."""

    folder: str
    overwrite: Overwrite
    keep_folders: bool


@define
class Made:
    """The files that are there now and were not there before."""

    _client: FilesClient
    _output: Output
    _saving: Saving | None
    _files: list[File] = field(factory=list["File"])
    _paths: dict[str, Path] = field(factory=dict[str, "Path"])
    exit: Exit = Exit.DONE

    async def find(self, mark: File | None) -> None:
        """Find what came after a file, None for the beginning; what somebody uploads meanwhile is not meant.

        If that fails, it is told, and is part of the exit status.
        """
        try:
            async with aclosing(self._client.list(after=mark)) as listing:
                self._files = [file async for file in listing if file.downloadable is not False]
        except FilesError as error:  # the answer is worth telling all the same
            self.exit = self._output.fail(error, "looking for new files")

    async def save(self) -> None:
        """Stream it to disk, if that is wanted."""
        saving, tally, gauge = self._saving, Tally(self._output), Gauge("saving")
        if saving is None or not self._files:
            return
        for file in self._files:
            gauge.expect(file.size_bytes)
        gauge.expect_no_more()
        async with drawn(self._output, gauge):
            for file in self._files:
                path = await tally.attempt(file.id, self._save(file, saving, gauge))
                gauge.done, gauge.failed = tally.done, tally.failed
                if path is not None:
                    self._paths[file.id] = path
        self.exit = tally.exit

    async def _save(self, file: File, saving: Saving, gauge: Gauge) -> Path:
        with gauge.follow(file.filename) as hear:
            return await self._client.download_to(
                file,
                saving.folder,
                overwrite=saving.overwrite,
                keep_folders=saving.keep_folders,
                on_progress=hear,
            )

    def tell(self) -> None:
        """Tell people what is new, and where it is."""
        if self._files:
            self._output.say(f"{count_of(len(self._files))} made:")
        elif self._saving is not None and self.exit == Exit.DONE:
            self._output.say("no file made")
        for file in self._files:
            cells = short_row(file).cells
            path = self._paths.get(file.id)
            cells = cells if path is None else {**cells, "path": f"-> {plain(str(path))}"}
            self._output.say("  " + "  ".join(cells.values()))

    def json(self) -> list[dict[str, Any]]:
        """Tell programs."""
        paths = {id_: str(path) for id_, path in self._paths.items()}
        return [as_json(file, path=paths.get(file.id)) for file in self._files]


# ---- `download`: to files that appear only when they are whole, or to stdout.

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
