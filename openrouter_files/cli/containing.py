"""What `containers` does: listing, showing, saving, promoting."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, frozen

from .batch import Tally
from .connecting import connected
from .contents import Contents, all_fields, as_json, long_row, short_row
from .describing import short_row as workspace_row
from .drawing import drawn
from .gauge import Gauge
from .listings import page_size, show_listing
from .results import Row, Rows, describe
from .standard import aside, write
from .usage import as_said, check_ids
from .wording import plain, size

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from openrouter_files import ContainerFile, ContainerFiles

    from .output import Output
    from .saving import Overwrite
    from .settings import Settings


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
