"""A job that sends nothing: the real one, with a client that stops before the network and a copy of the journal."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import aclosing, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define

from openrouter_files import Failed, FilesClient, FilesError, JournalError, LocalFile, Skipped

from .formatting import plain
from .job import Job
from .output import Row
from .process import aside

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openrouter_files import File

    from .job import Outcome
    from .upload_command import Finding


class WouldSendError(FilesError):
    """All was well until the file would have left."""


class Rehearsing(FilesClient):
    """A client that sends nothing and knows of no file."""

    async def upload(self, *_: Any, **__: Any) -> File:
        """Stop here."""
        raise WouldSendError("it would be sent")

    async def list(self, *_: Any, **__: Any) -> AsyncGenerator[File]:
        """Yield nothing: what a killed job left in doubt counts as not stored."""
        nothing: tuple[File, ...] = ()
        for file in nothing:
            yield file


@define(kw_only=True)
class Rehearsal(Job):
    """A job whose result is what would be sent."""

    def tell(self, outcome: Outcome) -> None:
        """Show a file that stopped before the network; tell about the others as ever."""
        match outcome:
            case Skipped() if self.output.style != "json":
                self.gauge.skipped += 1
            case Failed(source=LocalFile() as source, error=WouldSendError()):
                self.show(_row(source, self.gauge.size_of(source)))
                self.gauge.done += 1
            case _:
                Job.tell(self, outcome)


def _row(source: LocalFile, size: int | None) -> Row:
    told = {"outcome": "would be uploaded", "source": source.path, "filename": source.filename, "size_bytes": size}
    count = "-" if size is None else str(size)
    cells = {"source": plain(source.path), "size": count, "name": plain(source.filename)}
    return Row(json=told, plain="\t".join(cells.values()), cells=cells)


async def without_journal(found: AsyncGenerator[Finding], journal: str) -> AsyncGenerator[Finding]:
    """Leave out the journal's own files, as the job would: the rehearsal itself has a copy of the journal elsewhere."""
    true = await aside(Path(journal).resolve)
    own = [Path(f"{true}{end}") for end in ("", "-wal", "-shm", "-journal", ".lock")]
    async with aclosing(found):
        async for finding in found:
            if finding.stream or not await aside(_is_one_of, Path(finding.source), own):
                yield finding


def _is_one_of(path: Path, own: list[Path]) -> bool:
    try:
        return path.resolve() in own or any(path.samefile(one) for one in own if one.exists())
    except (OSError, RuntimeError):  # a link in a circle is RuntimeError for resolve()
        return False


@asynccontextmanager
async def copied(journal: str | None) -> AsyncGenerator[str | None]:
    """Give away a copy of a journal, so that nobody writes to it; a JournalError names the true one."""
    if journal is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = await aside(_copy, journal, folder)
        try:
            yield copy
        except JournalError as error:
            raise JournalError(str(error).replace(copy, journal)) from error


def _copy(journal: str, folder: str) -> str:
    """Copy a journal as it is now, even if somebody is writing to it; what is none is left to others to judge."""
    true, copy = Path(journal).resolve(), Path(folder).resolve() / "journal"
    try:
        if not _is_empty(true):
            _back_up(true, copy)
            return str(copy)
    except sqlite3.Error:
        copy.unlink(missing_ok=True)
    for end in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{true}{end}", f"{copy}{end}")
    return str(copy)


def _is_empty(journal: Path) -> bool:
    """Whether there is nothing to open: SQLite would delete what lies beside it."""
    return not journal.exists() or (journal.is_file() and not journal.stat().st_size)


def _back_up(journal: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
