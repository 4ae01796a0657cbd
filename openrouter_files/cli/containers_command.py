"""containers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import define, frozen

from .download_command import Overwrite, check_target
from .formatting import plain, size
from .job import Tally
from .options import (
    Commands,
    Settings,
    Teaching,
    as_said,
    check_ids,
    completed_as,
    connected,
    run,
    with_settings_at_home,
)
from .output import Contents, Output, Row, Rows, describe, page_size, show_listing
from .output import all_container_fields as all_fields
from .output import container_file_as_json as as_json
from .output import long_container_row as long_row
from .output import short_container_row as short_row
from .output import short_row as workspace_row
from .process import aside, write
from .progress import Gauge, drawn

if TYPE_CHECKING:
    from openrouter_files import ContainerFile, ContainerFiles


# ---- What `containers` does: listing, showing, saving, promoting.


@asynccontextmanager
async def _opened(settings: Settings, container: str, names: Sequence[str] = ()) -> AsyncGenerator[ContainerFiles]:
    async with connected(settings) as files:
        with as_said():
            box = files.container(container)
        check_ids(box, names)
        yield box


async def list_all(settings: Settings, container: str, limit: int | None, long: bool, output: Output) -> int:
    """List the files of a container."""
    async with _opened(settings, container) as box:
        return await show_listing(box.list(page_size=page_size(limit)), limit, long_row if long else short_row, output)


async def show(settings: Settings, container: str, names: Sequence[str], output: Output) -> int:
    """Show all that is known about some files."""
    tally = Tally(output)
    async with _opened(settings, container, names) as box:
        contents = Contents(box)
        for name in names:
            file = await tally.attempt(name, contents.find(name))
            if file is not None:
                describe(output, as_json(file), all_fields(file), is_first=tally.done == 1)
    return tally.exit


async def print_all(settings: Settings, container: str, names: Sequence[str], output: Output) -> int:
    """Write some files to stdout, one after the other."""
    tally = Tally(output)
    async with _opened(settings, container, names) as box:
        contents = Contents(box)
        for name in names:
            await tally.attempt(name, _printed(box, contents, name))
    return tally.exit


async def _printed(box: ContainerFiles, contents: Contents, name: str) -> bool:
    async with box.download(await contents.find(name)) as chunks:
        async for chunk in chunks:
            await write(chunk)
    return True


async def promote(settings: Settings, container: str, names: Sequence[str], output: Output) -> int:
    """Copy some files into the workspace."""
    tally = Tally(output)
    output.parting = "; what was promoted so far stays: look at `openrouter-files list` before you repeat it"
    with Rows(output) as rows:
        async with _opened(settings, container, names) as box:
            contents = Contents(box)
            for name in names:
                row = await tally.attempt(name, _promoted(box, contents, container, name))
                if row is not None:
                    rows.add(row)
    return tally.exit


async def _promoted(box: ContainerFiles, contents: Contents, container: str, name: str) -> Row:
    file = await box.promote(await contents.find(name))
    return workspace_row(file, outcome="promoted", source=name, container_id=container)


@frozen(kw_only=True)
class Wanted:
    """What to save where; no names mean all files."""

    container: str
    names: tuple[str, ...]
    to: str
    overwrite: Overwrite | None
    keep_folders: bool


async def download(settings: Settings, wanted: Wanted, output: Output) -> int:
    """Save some files."""
    if wanted.to.endswith("/"):
        await aside(partial(Path(wanted.to).mkdir, parents=True, exist_ok=True))
    output.parting = "; the same command with --overwrite skip goes on"
    saving = _Saving(output=output, wanted=wanted, tally=Tally(output), gauge=Gauge("downloading"))
    with Rows(output) as rows:
        async with _opened(settings, wanted.container, wanted.names) as box, drawn(output, saving.gauge):
            await saving.all(box, rows)
    output.say(saving.gauge.summary("downloaded", already="already there") or "nothing to download")
    return saving.tally.exit


@define(kw_only=True)
class _Saving:
    output: Output
    wanted: Wanted
    tally: Tally
    gauge: Gauge

    async def all(self, box: ContainerFiles, rows: Rows) -> None:
        contents = Contents(box)
        names = self.wanted.names or [file.path for file in await contents.all()]
        for _ in names:
            self.gauge.expect(None)
        self.gauge.expect_no_more()
        for name in names:
            row = await self.tally.attempt(name, self._one(box, contents, name))
            self.gauge.failed = self.tally.failed
            if row is not None:
                rows.add(row)

    async def _one(self, box: ContainerFiles, contents: Contents, name: str) -> Row | None:
        file = await contents.find(name)
        try:
            path = await self._save(box, file)
        except FileExistsError:
            if self.wanted.overwrite != "skip":
                raise
            self._skip(file, name)
            return None
        self.gauge.done += 1
        return _saved_row(file, path)

    def _skip(self, file: ContainerFile, name: str) -> None:
        self.gauge.skipped += 1
        if self.output.style == "json":
            told = {"outcome": "skipped", "reason": "exists", "id": file.id}
            self.output.json(told | {"filename": file.path, "source": name})

    async def _save(self, box: ContainerFiles, file: ContainerFile) -> Path:
        """Save a file; "skip" is "error" here, to learn whether something was skipped."""
        policy = "error" if self.wanted.overwrite == "skip" else self.wanted.overwrite
        with self.gauge.follow(file.path) as hear:
            return await box.download_to(
                file, self.wanted.to, overwrite=policy, keep_folders=self.wanted.keep_folders, on_progress=hear
            )


def _saved_row(file: ContainerFile, path: Path) -> Row:
    cells = {"id": plain(file.id), "size": size(file.size_bytes), "path": plain(str(path))}
    told = {"outcome": "downloaded", "id": file.id, "container_id": file.container_id, "filename": file.path}
    return Row(json=told | {"path": str(path), "size_bytes": file.size_bytes}, plain=cells["path"], cells=cells)


# ---- `containers`: the files inside sandbox containers.

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
