"""A page of files that all look alike, read by a pattern made after the first: 2.0 instead of 3.1 ms for 1,000.

A server writes the items of an array the same way: the same keys, in the same order, with the same spaces. So one
pattern takes the array apart into columns, and no dict is made of what is looked at only once. It says either what
json and the converter would say, or nothing: whatever is not alike is left to them.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any

from ..models import FilePage
from .pages import next_page
from .usual import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_VALUES = {
    "_shape": '"[^"]*"',
    "id": '"(?P<id>[^"]*)"',
    "type": '"[^"]*"',
    "filename": '"(?P<filename>[^"]*)"',
    "mime_type": '(?:null|"(?P<mime_type>[^"]*)")',
    "size_bytes": "(?P<size_bytes>0|[1-9][0-9]{0,17})",
    "created_at": '"(?P<created_at>[^"]*)"',
    "downloadable": "(?P<downloadable>true|false|null)",
}
_WORDS = {"true": True, "false": False, "null": None}

_start = re.compile(r'"data":( ?)\[(?={)').search
_first = json.JSONDecoder().raw_decode


@cache
def _pattern(space: str, *keys: str) -> re.Pattern[str]:
    return re.compile("{" + f",{space}".join(f'"{key}":{space}{_VALUES[key]}' for key in keys) + "}")


def _columns(text: str, start: int, space: str) -> tuple[dict[str, list[str]], str] | None:
    """Take a page whose files start there apart into their columns, and what is around them; None if it cannot be."""
    keys = _first(text, start)[0]
    if keys.keys() != _VALUES.keys():
        return None
    pattern = _pattern(space, *keys)
    parts, width = pattern.split(text), pattern.groups + 1
    between = parts[width:-1:width]
    if between.count(f",{space}") != len(between):
        return None
    return {name: parts[at::width] for name, at in pattern.groupindex.items()}, parts[0] + parts[-1]


def _rows(columns: dict[str, list[str]]) -> Iterator[tuple[Any, ...]]:
    """Return the rows of FIELDS; nobody asks for the last two."""
    sizes, downloadable = map(int, columns["size_bytes"]), map(_WORDS.get, columns["downloadable"])
    told = columns["id"], columns["filename"], sizes, columns["created_at"], columns["mime_type"]
    return zip(*told, downloadable, repeat(None), repeat(None), strict=False)


def _around(rest: str) -> dict[str, Any] | None:
    """Read a page without its files; None if they were not all of what it calls data."""
    page: dict[str, Any] = json.loads(rest) if rest[0] == "{" and rest.count('"data"') == 1 else {}
    return page if page.get("data") == [] else None


def read(body: bytes) -> FilePage | None:
    """Read a page; None, ValueError or RecursionError if it is not one of files that are alike."""
    text = body.decode()
    # Without escapes, what stands between two quotes is a string, and a key can be written in one way only.
    start = None if "\\" in text else _start(text)
    found = start and _columns(text, start.end(), start[1])
    page = found and _around(found[1])
    return FilePage(data=tuple(files_of(_rows(found[0]))), next=next_page(page)) if found and page else None
