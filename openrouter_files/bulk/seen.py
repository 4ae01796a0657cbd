"""Telling duplicates without keeping their names: a few bytes for each file, in tables that grow one at a time."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING

from .journal_rows import placed

if TYPE_CHECKING:
    from .outcome import LocalFile

# A table that grows stops the loop while it is copied: of so many, each is small.
_TABLES = 256
_FIRST_SIZE = 16


class _Marks:
    """A set of 64-bit numbers other than 0, of 16 bytes each on average where a set of ints has a hundred."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST_SIZE))
        self._count = 0

    def add(self, mark: int) -> bool:
        """Add a number; return whether it was there already."""
        place = self._place(mark)
        if self._slots[place] == mark:
            return True
        self._slots[place] = mark
        self._count += 1
        if 4 * self._count > 3 * len(self._slots):
            self._grow()
        return False

    def _place(self, mark: int) -> int:
        size = len(self._slots)
        place = mark % size
        while self._slots[place] not in (0, mark):
            place = (place + 1) % size
        return place

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", bytes(2 * 8 * len(self._slots)))
        for mark in old:
            if mark:
                self._slots[self._place(mark)] = mark


class Seen:
    """The files that a job was given so far."""

    def __init__(self) -> None:
        self._tables = [_Marks() for _ in range(_TABLES)]

    def again(self, source: LocalFile) -> bool:
        """Remember a file; return whether it was given before, under the same name."""
        there = placed(source)
        text = f"{there.path}\0{there.filename}".encode(errors="surrogatepass")
        digest = blake2b(text, digest_size=9).digest()
        return self._tables[digest[0]].add(int.from_bytes(digest[1:], "big") or 1)
