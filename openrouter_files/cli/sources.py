"""All that one `upload` is about: its arguments, then the lines of --files-from, found as they are needed."""

from __future__ import annotations

import os
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from .finding import Filter, Finding, find
from .standard import aside, lines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


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
