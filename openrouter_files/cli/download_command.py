"""`download`: to files that appear only when they are whole, or to stdout."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from attrs import frozen

from .batch import Tally, each, stream
from .connecting import connected
from .results import Row, Rows
from .running import run
from .settings import CONCURRENCY, Settings, with_settings
from .standard import aside, write
from .wording import plain, size

if TYPE_CHECKING:
    from openrouter_files import FilesClient

    from .output import Output
    from .transfers import Transfers

_HELP = """Save files under the names that the server knows them by, made safe, in the current folder.

    Only what a model wrote, or what was promoted from a container, can be downloaded; the service
    does not give back what was uploaded. A file appears only when it is whole.

    A path given with --to is replaced when the download is complete; in a folder, a file that
    exists is left alone, and that is an error. Both unless --overwrite says otherwise.
    """

_EPILOG = """\b
Examples:
  openrouter-files download FILE_ID
  openrouter-files download FILE_ID --to report.md
  openrouter-files download FILE_ID FILE_ID --to out/ --overwrite rename
  openrouter-files download FILE_ID --to - | less"""

_MOST_ROWS = 200

Overwrite = Literal["replace", "error", "skip", "rename"]


@click.command("download", help=_HELP, epilog=_EPILOG)
@click.argument("ids", nargs=-1, required=True, metavar="FILE_ID...")
@click.option("--to", default=".", metavar="PATH|FOLDER|-", help="Where to; a new folder ends with '/', '-' is stdout.")
@click.option("--overwrite", type=click.Choice(["replace", "error", "skip", "rename"]), help="If the name is taken.")
@CONCURRENCY
@with_settings
def command(  # noqa: D103
    settings: Settings, *, ids: tuple[str, ...], to: str, overwrite: Overwrite | None, concurrency: int
) -> int:
    if to == "-" and settings.json:
        raise click.UsageError("--to - fills stdout with the file: there is no room for --json")
    if len(ids) > 1 and to != "-" and not _is_folder(to):
        raise click.UsageError(f"several files need a folder, and {to} is none; a new one has to end with '/'")
    if to == "-":
        return run(settings, partial(_print, settings, ids))
    wanted = _Wanted(ids=ids, to=to, overwrite=overwrite, concurrency=concurrency)
    return run(settings, partial(_save, settings, wanted))


def _is_folder(to: str) -> bool:
    return to.endswith("/") or Path(to).is_dir()


async def _print(settings: Settings, ids: tuple[str, ...], output: Output) -> int:
    """Write the files to stdout, one after the other."""
    tally = Tally(output)
    async with connected(settings) as files:
        for file_id in ids:
            await tally.attempt(file_id, _written(files, file_id))
    return tally.exit


async def _written(files: FilesClient, file_id: str) -> bool:
    async with files.download(file_id) as chunks:
        async for chunk in chunks:
            await write(chunk)
    return True


@frozen(kw_only=True)
class _Wanted:
    """What to save where."""

    ids: tuple[str, ...]
    to: str
    overwrite: Overwrite | None
    concurrency: int


@frozen(kw_only=True)
class _Downloads:
    """One job."""

    files: FilesClient
    wanted: _Wanted
    rows: Rows
    tally: Tally
    moving: Transfers

    async def all(self) -> None:
        for _ in self.wanted.ids:
            self.moving.expect(None)
        self.moving.expect_no_more()
        await each(stream(self.wanted.ids), self._one, concurrency=self.wanted.concurrency)

    async def _one(self, file_id: str) -> None:
        path = await self.tally.attempt(file_id, self._saved(file_id))
        if path is not None:
            self.rows.add(_row(file_id, path))

    async def _saved(self, file_id: str) -> Path:
        with self.moving.one(file_id, None) as tell:
            return await self.files.download_to(
                file_id, self.wanted.to, overwrite=self.wanted.overwrite, on_progress=tell
            )


def _row(file_id: str, path: Path) -> Row:
    count = path.stat().st_size
    cells = {"id": plain(file_id), "size": size(count), "path": plain(str(path))}
    return Row(json={"id": file_id, "path": str(path), "size_bytes": count}, plain=cells["path"], cells=cells)


async def _save(settings: Settings, wanted: _Wanted, output: Output) -> int:
    if wanted.to.endswith("/"):
        await aside(partial(Path(wanted.to).mkdir, parents=True, exist_ok=True))
    tally = Tally(output)
    with Rows(output, most=_MOST_ROWS) as rows:
        async with connected(settings) as files:
            with tally.moving("download") as moving:
                await _Downloads(files=files, wanted=wanted, rows=rows, tally=tally, moving=moving).all()
    return tally.exit
