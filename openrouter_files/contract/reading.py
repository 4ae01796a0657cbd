"""The bytes of an answer into models: at once, or in steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import evolve

from ..errors import InvalidResponseError
from ..models import ContainerPage, FilePage
from . import speed
from .converter import READING_ERRORS, in_words, placed, problems, structure
from .pages import Listed

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")
PageOf = TypeVar("PageOf", FilePage, ContainerPage)

# Files of a page that are read without a pause: half a millisecond.
_SLICE = 128


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, strict=False)  # a name with a line break in it is a name all the same
    except (ValueError, RecursionError) as error:
        raise InvalidResponseError([placed(f"not JSON: {in_words(error)}")], body) from None


def read(cls: type[T], body: bytes) -> T:
    """Read one JSON answer; raises InvalidResponseError naming the paths that are wrong."""
    usual = speed.read(cls, body)
    return _thorough(cls, body) if usual is None else usual


def _thorough(cls: type[T], body: bytes) -> T:
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
        return (yield from _sliced(raw, cls))
    except READING_ERRORS:
        raise InvalidResponseError(problems(_parsed(body), cls), body) from None


def listed(body: bytes) -> Listed:
    """Read a page whose files are made as they are taken; raises what ``read`` raises, before the first of them."""
    usual = speed.read(Listed, body)
    return Listed.of(_thorough(FilePage, body)) if usual is None else usual


def listed_in_steps(body: bytes) -> Generator[None, None, Listed]:
    """Read such a page in steps."""
    usual = speed.read(Listed, body)
    return Listed.of((yield from read_page(FilePage, body))) if usual is None else usual


def _sliced(raw: Any, cls: type[PageOf]) -> Generator[None, None, PageOf]:
    if isinstance(raw, dict) and isinstance(raw.get("data"), list):  # pyright: ignore[reportUnknownMemberType]  # JSON
        return (yield from _joined(cast("dict[str, Any]", raw), cls))
    return structure(raw, cls)


def _joined(page: dict[str, Any], cls: type[PageOf]) -> Generator[None, None, PageOf]:
    items, found = page["data"], list[Any]()
    while items:
        part = items[:_SLICE]
        del items[:_SLICE]  # what has been read makes room for what comes: 4 % faster
        found += structure({**page, "data": part}, cls).data
        yield
    return evolve(structure({**page, "data": []}, cls), data=tuple(found))
