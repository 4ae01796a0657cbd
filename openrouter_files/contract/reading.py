"""Reads the bytes of a response into models: at once, or in steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import InvalidResponseError
from ..models import ContainerPage, FilePage
from .converter import READING_ERRORS, in_words, page_of, placed, problems, structure, structure_items

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")
PageOf = TypeVar("PageOf", FilePage, ContainerPage)

# Files of a page that are read without a pause: half a millisecond.
_SLICE = 128
# Values and names of an answer: they are made at one go, which takes up to 0.1 microseconds and 100 bytes each. A page
# of 1,000 files has 20,000.
_MOST_PIECES = 200_000

_decode: Callable[[bytes], Any] | None = None
try:
    import msgspec
except ImportError:
    pass
else:
    _decode = msgspec.json.Decoder().decode


def check_pieces(body: bytes) -> None:
    """Refuse JSON of so many pieces that to read it would hold up the loop; InvalidResponseError."""
    if len(body) > _MOST_PIECES and sum(map(body.count, (b",", b":", b"[", b"{"))) > _MOST_PIECES:
        raise InvalidResponseError([f"more than {_MOST_PIECES} values @ $"], body)


def _parsed(body: bytes) -> Any:
    """Parse JSON; with the extra ``speed`` by msgspec, which takes half of the time.

    What msgspec refuses (a raw line break in a name, NaN, an odd number) is left to the standard library.
    """
    check_pieces(body)
    if _decode is not None:
        try:
            return _decode(body)
        except (ValueError, RecursionError):
            pass
    try:
        return json.loads(body, strict=False)  # a name with a line break in it is a name all the same
    except (ValueError, RecursionError) as error:
        raise InvalidResponseError([placed(f"not JSON: {in_words(error)}")], body) from None


def read(cls: type[T], body: bytes) -> T:
    """Read one JSON response; raises InvalidResponseError naming the paths that are wrong."""
    raw = _parsed(body)
    try:
        return structure(raw, cls)
    except READING_ERRORS:
        raise InvalidResponseError(problems(raw, cls), body) from None


def read_page(cls: type[PageOf], body: bytes) -> Generator[None, None, PageOf]:
    """Read a page as ``read`` does, in steps: between two of them, others may have their turn."""
    raw = _parsed(body)
    yield
    try:
        if not isinstance(raw, dict) or not isinstance(raw.get("data"), list):  # pyright: ignore[reportUnknownMemberType]  # JSON
            return structure(raw, cls)
        page = cast("dict[str, Any]", raw)
        rows, items = page["data"], list[Any]()
        for first in range(0, len(rows), _SLICE):
            some = rows[first : first + _SLICE]
            try:
                items += structure_items(some, cls)
            except READING_ERRORS:
                raise InvalidResponseError(problems({**page, "data": some}, cls, first), body) from None
            yield
        return page_of(page, items, cls)
    except READING_ERRORS:
        raise InvalidResponseError(problems(raw, cls), body) from None
