"""JSON into models: tolerant about what is missing or new, strict about what is there.

Two converters do the same work. The fast one only says that something is wrong; the detailed one
is asked then, and names the JSON path of everything that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, TypeVar

from attrs import evolve, fields
from cattrs import ClassValidationError, Converter, transform_error
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn, override

from ..models import ContainerFile, ContainerPage, DeletedFile, File, FilePage, PageToken
from .dates import moment
from .pages import next_container_page, next_page

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
