"""All that one `upload` is about: its arguments, then the lines of --files-from, found as they are needed."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from .finding import Finding, find
from .standard import aside, lines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from .patterns import Patterns

# One visit of a thread to the disk finds this many; the first uploads do not wait for more.
_AT_ONCE = 32


@frozen(kw_only=True)
class Sources:
    """What to upload, as the user said it.

    Attributes:
        given: Paths and patterns; ``-`` is standard input.
        patterns: Which of the files are wanted.
        files_from: A file of paths, one per line, ``-`` for standard input; None for none.
        name: What the only source is stored as; None for its own name.
        journal: Of this job: its files are left out, wherever they lie.
    """

    given: tuple[str, ...]
    patterns: Patterns
    files_from: str | None = None
    name: str | None = None
    journal: str | None = None

    async def findings(self) -> AsyncGenerator[Finding]:
        """Yield every file, and every reason why there is none."""
        async with aclosing(self._all()) as found:
            async for finding in found:
                if self.journal is None or not _is_of(self.journal, finding.source):
                    yield finding

    async def _all(self) -> AsyncGenerator[Finding]:
        for given in self.given:
            if given == "-":
                yield Finding(source="-", name=self.name or "-")
                continue
            async for finding in _off_the_loop(find(given, self.patterns)):
                yield finding if self.name is None else evolve(finding, name=self.name)
        if self.files_from is not None:
            async with aclosing(_listed(self.files_from)) as paths:
                async for path in paths:
                    async for finding in _off_the_loop(find(path, self.patterns, keep_folders=True)):
                        yield finding


def _is_of(journal: str, path: str) -> bool:
    """Whether a path is a journal's, or of what lies beside it; the disk is asked for look-alikes only."""
    if not os.path.basename(path).startswith(os.path.basename(journal)):  # noqa: PTH119  # paths are text here
        return False
    true = os.path.realpath(journal)
    return os.path.realpath(path) in {true + end for end in ("", "-wal", "-shm", "-journal", ".lock")}


async def _off_the_loop(found: Iterator[Finding]) -> AsyncGenerator[Finding]:
    while some := await asyncio.to_thread(lambda: [*islice(found, _AT_ONCE)]):
        for finding in some:
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
