"""Which version of a file an answer holds, and whether another answer goes on with the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import evolve, frozen

if TYPE_CHECKING:
    from .answer import Answer

# Source: RFC 9110, 14.4.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)


def packed(answer: Answer) -> str | None:
    """Say that a file comes compressed, although nobody asked: neither its length nor its place is known. Else None.

    What a few bytes unpack to may fill a disk.
    """
    how = answer.encoding
    return f"the server sends the file compressed ({how[:100]}), although it was asked not to" if how else None


def total_of(answer: Answer) -> int | None:
    """Return how many bytes the whole file has, of which an answer sends all or a part; None if it does not say."""
    if answer.status != 206:
        return answer.length
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return None if found is None or found[3] == "*" else int(found[3])


@frozen(kw_only=True)
class Version:
    """What the first answer said about the file.

    Attributes:
        size: Bytes; None if unknown.
        etag: As it was told; None if it was not.
        modified: Last-Modified, likewise.
        has_ranges: Whether the server can be asked for the rest of it.
    """

    size: int | None
    etag: str | None = None
    modified: str | None = None
    has_ranges: bool = False

    @property
    def validator(self) -> str | None:
        """The ETag if it promises the same bytes. Source: RFC 9110, 8.8.1."""
        return self.etag if self.etag and self.etag.startswith('"') else None

    @classmethod
    def of(cls, answer: Answer, size: int | None) -> Version:
        """Read it from the first answer."""
        etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        told = cls(size=size, etag=etag, modified=modified)
        accepts = answer.status == 206 or answer.headers.get("Accept-Ranges", "").lower() == "bytes"
        return evolve(told, has_ranges=accepts or told.validator is not None)

    def range_from(self, start: int, stop: int | None = None) -> tuple[tuple[str, str], ...]:
        """Return the headers that ask for the rest of this version, up to ``stop``. Source: RFC 9110, 13.1.5."""
        asked = ("Range", f"bytes={start}-{'' if stop is None else stop - 1}")
        return (asked, ("If-Range", self.validator)) if self.validator else (asked,)

    def problem(self, answer: Answer) -> str | None:
        """Say why an answer that starts over is not the same file; None if it is."""
        if None not in {self.size, answer.length} and answer.length != self.size:
            return f"the file has now {answer.length} bytes, not {self.size}"
        return self._other_validator(answer)

    def part_problem(self, answer: Answer, start: int) -> str | None:
        """Say why a part is not the rest of the same file; None if it is.

        Source: RFC 9110, 15.3.7: a part may begin elsewhere, or be of another version.
        """
        text = answer.headers.get("Content-Range", "")
        found = _CONTENT_RANGE.fullmatch(text)
        if not self.has_ranges or not found or int(found[1]) != start:
            return f"the server sent another part: {text!r}"
        if self.size is not None and found[3] not in {"*", str(self.size)}:
            return f"the file has now {found[3]} bytes, not {self.size}"
        return self._other_validator(answer)

    def _other_validator(self, answer: Answer) -> str | None:
        """Say that a validator is another one, however weak: two versions are never joined.

        Source: RFC 9110, 8.8.3.2, weak comparison.
        """
        etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        other_tag = self.etag and etag and etag.removeprefix("W/") != self.etag.removeprefix("W/")
        changed = other_tag or (self.modified and modified and modified != self.modified)
        return "the file changed while it was downloaded" if changed else None
