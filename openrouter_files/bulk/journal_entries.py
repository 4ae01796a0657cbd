"""What a journal holds, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from .outcome import LocalFile


@frozen(kw_only=True)
class Entry:
    """What is about to be sent.

    Attributes:
        source: Where it is, and its name in the workspace.
        size: Bytes.
        mtime_ns: When it was written, as its disk says.
        sha256: Of its bytes; 32 of them.
        changed: ctime and inode: two files of one size and time differ in them.
    """

    source: LocalFile
    size: int
    mtime_ns: int
    sha256: bytes
    changed: str = ""


@frozen(kw_only=True)
class Intent:
    """An upload that was begun, and of which nobody noted the end.

    Attributes:
        row: Its number in the journal; a later intent has a higher one.
        entry: What was sent, if anything was. Its path is absolute.
        anchor: A file that existed before; None if none was known.
        intended_at: Unix seconds on the clock of the machine that sent it.
    """

    row: int
    entry: Entry
    anchor: str | None
    intended_at: float
