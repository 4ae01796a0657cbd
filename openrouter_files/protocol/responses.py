"""Reads JSON into models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import Any, TypeVar, cast

from attrs import evolve, fields
from cattrs import ClassValidationError, Converter, transform_error
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn, override

from ..errors import InvalidResponseError
from ..models import ContainerFile, ContainerPage, DeletedFile, File, FilePage, PageToken

# ---- Dates as HTTP and JSON write them.

# Characters of 2026-11-20T12:34:56.123456Z. Of what is no longer, Python reads all that there is.
EXACT = 27

_rounds_up = re.compile("[.,][0-9]{6}[5-9]").search


def moment(text: str) -> datetime:
    """Read a time in ISO 8601, UTC if it has no offset; what is finer than a microsecond is rounded.

    Source: RFC 3339, 5.6: ``t`` and ``z`` mean what ``T`` and ``Z`` mean.
    """
    read = datetime.fromisoformat(text.replace("z", "Z"))
    if len(text) > EXACT and _rounds_up(text):
        read += datetime.resolution
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def http_date(text: str | None) -> float | None:
    """Return an HTTP date as Unix seconds; None for none, or for what is not one.

    Source: RFC 9110, 5.6.7.
    """
    try:
        moment = parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None
    # The oldest of the three forms has no zone; all of them mean UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() if moment else None


# ---- Finds where the next page of a listing starts, in each of the shapes a listing has had.

_CONTINUES_WITH = {"openai": "after", "anthropic": "after_id"}


def _shape(page: Mapping[str, Any]) -> str:
    """Tell the shape by its name, else by the keys that only one of them has."""
    named = page.get("_shape")
    if isinstance(named, str):
        return named
    if "object" in page:
        return "openai"
    return "openrouter" if "cursor" in page else "anthropic"


def next_page(page: Mapping[str, Any]) -> PageToken | None:
    """Return where the page after this one starts; None after the last.

    An empty page with a token is not the end. A page that says that there is more, but not where, is followed by
    what comes after its last item.

    Raises:
        ValueError: There is more, and nothing says where.

    Source: Files API guide, pagination, and the descriptions of ``after`` and ``after_id``; the
    official SDKs stop after one page of the two shapes that have no cursor.
    """
    cursor = page.get("cursor")
    if isinstance(cursor, str) and cursor.strip():
        return PageToken("cursor", cursor)
    return (
        PageToken(_CONTINUES_WITH.get(_shape(page), "after"), _last_id(page)) if page.get("has_more") is True else None
    )


def _last_id(page: Mapping[str, Any]) -> str:
    """Return after which item the next page starts: ``last_id``, or the id of the last item if that is none."""
    data = page.get("data")
    last: Any = data[-1] if isinstance(data, list) and data else None  # pyright: ignore[reportUnknownVariableType]  # JSON
    for last_id in (page.get("last_id"), cast("dict[str, Any]", last).get("id") if isinstance(last, dict) else None):
        if isinstance(last_id, str) and last_id:
            return last_id
    raise ValueError("there are more files, but nothing says where they start @ $.last_id")


def next_container_page(page: Mapping[str, Any]) -> PageToken | None:
    """Return where the next page of a container starts; None after the last.

    Source: containers guide: ``has_more`` always means that ``after=last_id`` gives another page,
    even when this one is empty, and ``last_id`` may be a position that is not in it.
    """
    return PageToken("after", _last_id(page)) if page.get("has_more") is True else None


# ---- JSON into models: tolerant about what is missing or new, strict about what is there.
#
# Two converters do the same work. The fast one only says that something is wrong; the detailed one
# is asked then, and names the JSON path of everything that is.

T = TypeVar("T")
Item = TypeVar("Item", File, ContainerFile)
PageOf = TypeVar("PageOf", FilePage, ContainerPage)
Hook = Callable[[Any, Any], Any]

# Where transform_error says that an item is wrong.
_ITEM = re.compile(r"(?<= @ )\$\.data\[(\d+)\]")

# On the wire, but said by the type already, or under another name: the OpenAI shape says ``bytes``.
_SILENT = frozenset({"_shape", "type", "object", "bytes"})

READING_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, OSError)


def _strict(cls: type) -> Hook:
    def check(value: Any, _: Any) -> Any:
        if type(value) is not cls:
            raise TypeError(f"expected {cls.__name__}, got {type(value).__name__}")
        return value

    return check


def _moment(value: Any, _: Any) -> datetime:
    """Read ISO 8601 (UTC if it has no offset) or Unix seconds."""
    if isinstance(value, str):
        return moment(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a time, got {type(value).__name__}")
    return datetime.fromtimestamp(value, UTC)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value  # pyright: ignore[reportUnknownVariableType]  # JSON objects have str keys


def _called_as_sent(error: ClassValidationError) -> ClassValidationError:
    """Make the paths speak of ``bytes`` where the answer did."""
    for inner in error.exceptions:
        notes = getattr(inner, "__notes__", [])
        for i, note in enumerate(notes):
            if isinstance(note, AttributeValidationNote) and note.name == "size_bytes":
                notes[i] = AttributeValidationNote(str(note), "bytes", note.type)
    return error


def _item_hook(converter: Converter, cls: type[Item]) -> Hook:
    """Read a file of a workspace or a container: ``bytes`` or ``size_bytes``, and what is unknown into extra."""
    kept = override(struct_hook=lambda value, _: value)
    plain = make_dict_structure_fn(cls, converter, extra=kept)
    renamed = make_dict_structure_fn(cls, converter, extra=kept, size_bytes=override(rename="bytes"))
    known = frozenset(a.name for a in fields(cls)) - {"extra"} | _SILENT

    def structure(value: Any, _: Any) -> Item:
        raw = _object(value)
        if unknown := raw.keys() - known:
            raw = {**raw, "extra": {name: raw[name] for name in raw if name in unknown}}
        if "bytes" not in raw or raw.get("size_bytes") is not None:
            return plain(raw, cls)
        try:
            return renamed(raw, cls)
        except ClassValidationError as error:
            raise _called_as_sent(error) from None

    return structure


# Of each kind of page: what its items are, and where the next one starts.
_PAGES: dict[type, tuple[type, Callable[[Mapping[str, Any]], PageToken | None]]] = {
    FilePage: (File, next_page),
    ContainerPage: (ContainerFile, next_container_page),
}


def _page_hook(converter: Converter, cls: type[PageOf]) -> Hook:
    structure = make_dict_structure_fn(cls, converter, next=override(omit=True))
    _, next_of = _PAGES[cls]

    def page(value: Any, _: Any) -> PageOf:
        raw = _object(value)
        if not isinstance(raw.get("data", []), list):
            raise TypeError("expected an array @ $.data")
        return evolve(structure(raw, cls), next=next_of(raw))

    return page


def _receipt_hook(converter: Converter) -> Hook:
    structure = make_dict_structure_fn(DeletedFile, converter)

    def receipt(value: Any, cls: Any) -> DeletedFile:
        raw = _object(value)
        if raw.get("deleted", True) is not True:
            raise ValueError("the server says it did not delete @ $.deleted")
        return structure(raw, cls)

    return receipt


def _converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    for primitive in (str, int, float, bool):
        converter.register_structure_hook(primitive, _strict(primitive))
    converter.register_structure_hook(datetime, _moment)
    converter.register_structure_hook(File, _item_hook(converter, File))
    converter.register_structure_hook(ContainerFile, _item_hook(converter, ContainerFile))
    converter.register_structure_hook(FilePage, _page_hook(converter, FilePage))
    converter.register_structure_hook(ContainerPage, _page_hook(converter, ContainerPage))
    converter.register_structure_hook(DeletedFile, _receipt_hook(converter))
    return converter


_fast = _converter(detailed=False)
# Made when the first answer cannot be read: it takes some milliseconds.
_detailed = cache(partial(_converter, detailed=True))


def structure(raw: Any, cls: type[T]) -> T:
    """Read parsed JSON; raises one of READING_ERRORS, and ``problems`` says what is wrong."""
    return _fast.structure(raw, cls)


def structure_items(rows: list[Any], page: type) -> list[Any]:
    """Read some items of a page; raises one of READING_ERRORS."""
    item = _PAGES[page][0]
    hook = _fast.get_structure_hook(item)
    return [hook(row, item) for row in rows]


def page_of(raw: Mapping[str, Any], items: list[Any], cls: type[PageOf]) -> PageOf:
    """Return the page that items read one by one make; raises one of READING_ERRORS."""
    return cls(data=tuple(items), next=_PAGES[cls][1](raw))


def in_words(error: BaseException, _: Any = None) -> str:
    """Say what one thing is that is wrong."""
    if isinstance(error, KeyError):
        return "required field missing"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error) or type(error).__name__


def problems(raw: Any, cls: type, first: int = 0) -> list[str]:
    """Say everything that is wrong, and where; ``first`` is the place in its page of the first item."""
    try:
        _detailed().structure(raw, cls)
    except ClassValidationError as error:
        found = transform_error(error, format_exception=in_words)
        return [_ITEM.sub(lambda item: f"$.data[{int(item[1]) + first}]", problem) for problem in found]
    except READING_ERRORS as error:
        return [placed(in_words(error))]
    return ["unreadable @ $"]


def placed(problem: str) -> str:
    """Say that a problem is at the root, if it does not say where it is."""
    return problem if " @ $" in problem else f"{problem} @ $"


# ---- Reads the bytes of a response into models: at once, or in steps.

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


def read_as(cls: type[T], body: bytes) -> T:
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
