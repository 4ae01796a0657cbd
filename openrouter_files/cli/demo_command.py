"""demo."""

from __future__ import annotations

import asyncio
import filecmp
import random
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import define, field

from openrouter_files import NotFoundError

from .formatting import files as count_of
from .formatting import plain, size
from .job import Job, Kept
from .options import (
    CONCURRENCY,
    Settings,
    Teaching,
    client_for,
    client_of,
    completed_as,
    emulating,
    key_of,
    run,
    with_settings,
)
from .output import Output, short_row
from .process import write_line
from .progress import Gauge, drawn
from .upload_command import Filter, Finding, How, Sources, Uploads

if TYPE_CHECKING:
    from openrouter_files import File, FilesClient
    from openrouter_files.emulator import Emulator


# ---- What the demo tells: a line per step to people, one object to programs.


@define
class Narration:
    """The story so far."""

    _output: Output
    _told: dict[str, Any] = field(factory=dict[str, Any])

    def tell(self, step: str, words: str, **facts: Any) -> None:
        """Tell about a step; the facts are for programs."""
        self._told[step.replace(" ", "_")] = facts or None
        if self._output.style != "json":
            write_line(f"{step:<12}{words}")

    def show(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Show some rows to people."""
        if self._output.style == "plain":
            for row in rows:
                write_line(" " * 12 + "  ".join(row.values()))
        elif self._output.style == "table" and rows:
            from .tables import table  # noqa: PLC0415  # rich is for people only

            table(rows)

    def end(self) -> None:
        """Give programs everything at once."""
        if self._output.style == "json":
            self._output.json(self._told)


# ---- The demo: uploads, a listing, a download, a deletion, and how fast it all went.

_REPORT = "reports/by-the-server.txt"
_REPORT_BYTES = 16 * 1024 * 1024
_SHOWN = 5
_LONGEST_NAME = 20


def _short(name: str) -> str:
    """Return a name that leaves room for what is told about it, on a line of 80 columns."""
    name = plain(name)
    return name if len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"


def _write_report(path: Path) -> Path:
    """Write what the emulator will claim to have made: text of which no two parts are alike."""
    digits = random.Random(0).randbytes(_REPORT_BYTES * 32 // 65).hex("\n", 32)  # noqa: S311  # no secret
    path.write_text(digits)
    return path


@define(kw_only=True)
class Demo:
    """One run.

    Attributes:
        emulator: None if the files go to the service.
    """

    files: FilesClient
    emulator: Emulator | None
    sources: Sources
    most: int
    concurrency: int
    output: Output
    narration: Narration
    _status: int = 0
    _uploaded: list[File] = field(factory=list["File"])
    _moved: int = 0
    _done: list[str] = field(factory=list[str])

    async def run(self) -> int:
        """Show everything, then take away what was uploaded, also if something went wrong."""
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as folder:
                await self._upload()
                original = await self._make(Path(folder) / "original")
                newest = await self._list()
                await self._download(newest, Path(folder), original)
                await self._delete()
        finally:
            await self._clean_up()
        spent = time.monotonic() - began
        words = f"{', '.join(self._done)}; {size(self._moved)} in {spent:.2f} s"
        self.narration.tell("in all", words, bytes=self._moved, seconds=spent)
        self.narration.end()
        return self._status

    async def _upload(self) -> None:
        job = Kept(output=self.output, gauge=Gauge("uploading"), past="uploaded", kept=self._uploaded)
        try:
            async with drawn(self.output, job.gauge):
                how = How(concurrency=self.concurrency)
                await Uploads(files=self.files, job=job, how=how).all(self._some())
        except asyncio.CancelledError:
            # What was cut off may be stored, under an id that nobody told us: no cleaning up finds it.
            job.sum_up()
            raise
        self._end(job)
        words = f"{count_of(job.gauge.done)}, {job.gauge.measure()}, {self.concurrency} at once"
        self._count(job.gauge, "uploaded", words)

    def _end(self, job: Job) -> None:
        job.tell_troubles()
        self._status = self._status or job.exit

    def _count(self, gauge: Gauge, step: str, words: str, **facts: Any) -> None:
        """Tell about a step that moved something, and count it for the summary."""
        self.narration.tell(step, words, files=gauge.done, bytes=gauge.moved, seconds=gauge.seconds, **facts)
        self._moved += gauge.moved
        self._done.append(f"{gauge.done} {step}")

    async def _some(self) -> AsyncGenerator[Finding]:
        """Yield as many as are wanted; the service takes no empty files."""
        left = self.most
        async with aclosing(self.sources.findings()) as findings:
            async for finding in findings:
                if finding.size != 0:
                    yield finding
                    left -= 1
                if left == 0:
                    return

    async def _make(self, path: Path) -> Path | None:
        """Have the emulator write a file, as a model would; the service writes none for us."""
        if self.emulator is None:
            return None
        await asyncio.to_thread(_write_report, path)
        await self.emulator.put(_REPORT, path)
        return path

    async def _list(self) -> File | None:
        """List all files; return the newest that can be downloaded."""
        began, count, newest = time.monotonic(), 0, None
        last: deque[File] = deque(maxlen=_SHOWN)
        async with aclosing(self.files.list()) as found:
            async for file in found:
                count += 1
                last.append(file)
                newest = file if file.downloadable else newest
        spent = time.monotonic() - began
        self.narration.tell("listed", f"{count_of(count)} in {spent:.2f} s; the newest:", files=count, seconds=spent)
        self.narration.show([short_row(file).cells for file in last])
        return newest

    async def _download(self, file: File | None, folder: Path, original: Path | None) -> None:
        if file is None:
            self.narration.tell("downloaded", "nothing: no file of this workspace can be downloaded yet")
            return
        gauge = Gauge("downloading")
        gauge.expect(file.size_bytes)
        gauge.expect_no_more()
        async with drawn(self.output, gauge):
            with gauge.follow(file.filename) as hear:
                path = await self.files.download_to(file, folder, on_progress=hear)
            gauge.done += 1
        words = f"{_short(path.name)}, {gauge.measure()}"
        proof = await self._proof(path, file, original)
        self._count(gauge, "downloaded", f"{words}: {proof}", name=path.name, proof=proof)

    async def _proof(self, path: Path, file: File, original: Path | None) -> str:
        """Compare what arrived with what was sent; of a file of the service only the size is known."""
        if original is None:
            return "as long as promised"
        if not await asyncio.to_thread(filecmp.cmp, path, original, shallow=False):
            raise OSError(f"{file.filename} is not what the server sent")
        return "the same bytes"

    async def _delete(self) -> None:
        if not self._uploaded:
            return
        file = self._uploaded.pop()
        await self.files.delete(file.id)
        self._done.append("1 deleted")
        try:
            await self.files.retrieve(file.id)
        except NotFoundError:
            self.narration.tell("deleted", f"{_short(file.filename)}: the server does not know it any more", id=file.id)

    async def _clean_up(self) -> None:
        """Take away what was uploaded; an emulator forgets everything by itself."""
        if self.emulator is not None or not self._uploaded:
            return
        from openrouter_files import deleting  # noqa: PLC0415  # not to show the help

        job = Kept(output=self.output, gauge=Gauge("cleaning up"), past="deleted", kept=[])
        await job.take(deleting(self.files, self._uploaded, concurrency=self.concurrency, missing_ok=True))
        self._end(job)
        self.narration.tell("cleaned up", count_of(job.gauge.done), files=job.gauge.done)


# ---- `demo`: what there is to choose.

_HELP = """See it all work, on real files: many are uploaded at once, listed, one that the server made is
    streamed to disk and its bytes are compared, one is deleted.

    Without a key, or with --emulator, this happens against an embedded emulator: no network. With a
    key it happens in your workspace; there the newest file that can be downloaded is, if there is
    one, and all that was uploaded is deleted in the end.
    """

_EPILOG = """\b
Examples:
  openrouter-files demo
  openrouter-files demo ~/Documents --most 200 --concurrency 32
  OPENROUTER_API_KEY=sk-or-... openrouter-files demo"""

_TEXTS = ("*.py", "*.md", "*.toml", "*.yaml")


def _own_files() -> str:
    """Return the folder of this checkout, or of the installed package if there is no checkout."""
    package = Path(__file__).parent.parent
    return str(package.parent if (package.parent / "pyproject.toml").is_file() else package)


@click.command("demo", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("sources", nargs=-1, metavar="[FILE|FOLDER]...", shell_complete=completed_as("file"))
@click.option(
    "--most", type=click.IntRange(1, 1000), default=60, show_default=True, help="Upload at most so many files."
)
@CONCURRENCY
@with_settings
def command(settings: Settings, *, sources: tuple[str, ...], most: int, concurrency: int) -> int:  # noqa: D103
    if "-" in sources:
        raise click.UsageError("the demo takes files and folders, not standard input")
    kept = Filter(include=() if sources else _TEXTS, exclude=(), hidden=False)
    wanted = Sources(given=sources or (_own_files(),), wanted=kept)
    return run(settings, partial(_show, settings, wanted, most, concurrency))


async def _show(settings: Settings, wanted: Sources, most: int, concurrency: int, output: Output) -> int:
    async with AsyncExitStack() as opened:
        emulator = await opened.enter_async_context(emulating(settings)) if await _wants_emulator(settings) else None
        client = client_for(emulator, settings) if emulator else await client_of(settings)
        files = await opened.enter_async_context(client)
        narration = Narration(output)
        narration.tell("server", _server(settings, emulator), emulator=emulator is not None)
        demo = Demo(
            files=files, emulator=emulator, sources=wanted, most=most, concurrency=concurrency,
            output=output, narration=narration,
        )  # fmt: skip
        return await demo.run()


async def _wants_emulator(settings: Settings) -> bool:
    return settings.emulator or (settings.api_key_file is None and await key_of(settings) is None)


def _server(settings: Settings, emulator: Emulator | None) -> str:
    if emulator is None:
        return "the service, in your workspace"
    why = "as you wished" if settings.emulator else "OPENROUTER_API_KEY is not set"
    return f"an embedded emulator ({why})"
