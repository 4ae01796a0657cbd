"""Which files of a workspace are to be deleted: by name, by age, or both."""

from __future__ import annotations

from contextlib import aclosing
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from attrs import frozen

from .describing import short_row
from .wording import files as count_of
from .wording import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from openrouter_files import File, FilesClient

_SHOWN = 20


@frozen(kw_only=True)
class Doomed:
    """What is wanted of the files; all that is said must hold.

    Attributes:
        patterns: One of them has to match: with a slash inside the whole name, otherwise its last part.
        before: They were made earlier.
    """

    patterns: tuple[str, ...] = ()
    before: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self.patterns) or self.before is not None

    def want(self, file: File) -> bool:
        """Whether a file is meant."""
        named = not self.patterns or any(_matches(file.filename, pattern) for pattern in self.patterns)
        return named and (self.before is None or (file.created_at is not None and file.created_at < self.before))

    async def among(self, files: FilesClient) -> list[File]:
        """Return those of a workspace."""
        async with aclosing(files.list()) as listing:
            return [file async for file in listing if self.want(file)]


def _matches(name: str, pattern: str) -> bool:
    """Not like --include: a folder that matches by accident must not take all that is in it along."""
    return fnmatchcase(name if "/" in pattern else name.rsplit("/", 1)[-1], pattern)


def overview(doomed: Sequence[File]) -> Iterator[str]:
    """Yield some lines about them, for people."""
    yield f"{count_of(len(doomed))}, {size(sum(file.size_bytes or 0 for file in doomed))}:"
    for file in doomed[:_SHOWN]:
        yield "  " + "  ".join(short_row(file).cells.values())
    if len(doomed) > _SHOWN:
        yield f"  ... and {len(doomed) - _SHOWN:,} more"
