"""The demo: uploads, a listing, a download, a deletion, and how fast it all went."""

from __future__ import annotations

import asyncio
import filecmp
import random
import tempfile
import time
from collections import deque
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from openrouter_files import NotFoundError

from .batch import Tally, each, stream
from .describing import short_row
from .transfers import transfers
from .uploading import Uploads
from .wording import files as count_of
from .wording import plain, size

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openrouter_files import File, FilesClient
    from openrouter_files.emulator import Emulator

    from .exits import Exit
    from .finding import Finding
    from .narration import Narration
    from .output import Output
    from .sources import Sources
    from .transfers import Transfers

_REPORT = "reports/written-by-the-server.txt"
_REPORT_BYTES = 16 * 1024 * 1024
_SHOWN = 5


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
    tally: Tally
    narration: Narration
    _uploaded: list[File] = field(factory=list["File"])
    _moved: int = 0
    _left: int = 0
    _done: list[str] = field(factory=list[str])

    async def run(self) -> Exit:
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
        return self.tally.exit

    async def _upload(self) -> None:
        with transfers(self.output, "uploading") as moving:
            job = Uploads(files=self.files, moving=moving, tally=self.tally, stored=self._keep)
            try:
                await job.all(self._some(), concurrency=self.concurrency)
            except asyncio.CancelledError:
                # What was cut off may be stored, under an id that nobody told us: no cleaning up finds it.
                self.output.say(moving.summary("uploaded"))
                raise
        self._count(moving, "uploaded", f"{count_of(moving.done)}, {moving.measure()}, {self.concurrency} at once")

    def _count(self, moving: Transfers, step: str, words: str, **facts: Any) -> None:
        """Tell about a step that moved something, and count it for the summary."""
        self.narration.tell(step, words, files=moving.done, bytes=moving.moved, seconds=moving.seconds, **facts)
        self._moved += moving.moved
        self._done.append(f"{moving.done} {step}")

    def _keep(self, file: File, _: Finding) -> None:
        self._uploaded.append(file)

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
        with transfers(self.output, "downloading") as moving:
            moving.expect(file.size_bytes)
            moving.expect_no_more()
            with moving.one(file.filename, file.size_bytes) as tell:
                path = await self.files.download_to(file, folder, on_progress=tell)
        words = f"{plain(path.name)}, {moving.measure()}"
        proof = await self._proof(path, file, original)
        self._count(moving, "downloaded", f"{words}: {proof}", name=path.name, proof=proof)

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
            self.narration.tell("deleted", f"{plain(file.filename)}: the server does not know it any more", id=file.id)

    async def _clean_up(self) -> None:
        """Take away what was uploaded; an emulator forgets everything by itself."""
        if self.emulator is None and self._uploaded:
            await each(stream(self._uploaded), self._forget, concurrency=self.concurrency)
            gone = len(self._uploaded) - self._left
            self.narration.tell("cleaned up", count_of(gone), files=gone)

    async def _forget(self, file: File) -> None:
        gone = await self.tally.attempt(file.id, self.files.delete(file.id, missing_ok=True))
        self._left += gone is None
