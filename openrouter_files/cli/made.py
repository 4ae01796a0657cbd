"""What a model made: found, told, saved."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from openrouter_files import FilesError

from .batch import Tally
from .describing import as_json, short_row
from .drawing import drawn
from .exits import Exit
from .gauge import Gauge
from .wording import files as count_of
from .wording import plain

if TYPE_CHECKING:
    from pathlib import Path

    from openrouter_files import File, FilesClient

    from .output import Output
    from .saving import Overwrite


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
