"""Telling duplicates without keeping their names: eight bytes for each file."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from .journal_rows import placed

if TYPE_CHECKING:
    from .outcome import LocalFile


class Seen:
    """The files that a job was given so far."""

    def __init__(self) -> None:
        self._marks: set[int] = set()

    def again(self, source: LocalFile) -> bool:
        """Remember a file; return whether it was given before, under the same name."""
        there = placed(source)
        text = f"{there.path}\0{there.filename}".encode(errors="surrogatepass")
        mark = int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
        known = mark in self._marks
        self._marks.add(mark)
        return known
