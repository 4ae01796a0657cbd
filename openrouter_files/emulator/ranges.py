"""Parts of a download, for a server that offers them (the real one documents none)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from openrouter_files.emulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?", re.ASCII)


@frozen
class Part:
    """Bytes ``start`` to ``stop``, exclusive, of content."""

    start: int
    stop: int


def part_asked(headers: Mapping[str, str], size: int, etag: str) -> Part | None:
    """The part that a request wants, None for everything.

    A range that is not understood, and one whose If-Range names another content, do not count.

    Raises:
        Refusal: 416, nothing lies there.

    Source: RFC 9110 sections 13.1.5 and 14.2.
    """
    said = _RANGE.fullmatch(headers.get("range", ""))
    if said is None or said.group() == "bytes=-" or headers.get("if-range", etag) != etag:
        return None
    part = _part(said[1], said[2], size)
    if part.start >= part.stop:
        raise Refusal(416, headers={"Content-Range": f"bytes */{size}"})
    return part


def _part(first: str | None, last: str | None, size: int) -> Part:
    if first is None:
        return Part(max(0, size - int(last or 0)), size)
    return Part(int(first), size if last is None else min(size, int(last) + 1))
