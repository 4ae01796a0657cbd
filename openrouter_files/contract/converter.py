"""JSON into models: tolerant about what is missing or new, strict about what is there.

Two converters do the same work. The fast one only says that something is wrong; the detailed one
is asked then, and names the JSON path of everything that is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, TypeVar

from attrs import evolve, fields
from cattrs import ClassValidationError, Converter, transform_error
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn, override

from ..models import ContainerFile, ContainerPage, DeletedFile, File, FilePage
from .dates import moment
from .pages import next_container_page, next_page
from .usual import usual_object, usual_objects

T = TypeVar("T")
Item = TypeVar("Item", File, ContainerFile)
PageOf = TypeVar("PageOf", FilePage, ContainerPage)
Hook = Callable[[Any, Any], Any]

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
    plain = make_dict_structure_fn(cls, converter, extra=override(omit=True))
    renamed = make_dict_structure_fn(cls, converter, extra=override(omit=True), size_bytes=override(rename="bytes"))
    known = frozenset(a.name for a in fields(cls)) - {"extra"} | _SILENT

    def structure(value: Any, _: Any) -> Item:
        raw = _object(value)
        if "bytes" in raw and "size_bytes" not in raw:
            try:
                item = renamed(raw, cls)
            except ClassValidationError as error:
                raise _called_as_sent(error) from None
        else:
            item = plain(raw, cls)
        unknown = raw.keys() - known
        return evolve(item, extra={k: raw[k] for k in raw if k in unknown}) if unknown else item

    return structure


def _quick_file_hook(converter: Converter) -> Hook:
    thorough = converter.get_structure_hook(File)

    def structure(value: Any, cls: Any) -> File:
        return usual_object(value) or thorough(value, cls)

    return structure


def _page_hook(converter: Converter, cls: type[PageOf], next_of: Callable[[Mapping[str, Any]], Any]) -> Hook:
    structure = make_dict_structure_fn(cls, converter, next=override(omit=True))

    def page(value: Any, _: Any) -> PageOf:
        raw = _object(value)
        if not isinstance(raw.get("data", []), list):
            raise TypeError("expected an array @ $.data")
        return evolve(structure(raw, cls), next=next_of(raw))

    return page


def _quick_page_hook(converter: Converter) -> Hook:
    thorough = converter.get_structure_hook(FilePage)

    def page(value: Any, cls: Any) -> FilePage:
        raw = _object(value)
        files = usual_objects(raw.get("data"))
        return thorough(raw, cls) if files is None else FilePage(data=tuple(files), next=next_page(raw))

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
    if not detailed:
        converter.register_structure_hook(File, _quick_file_hook(converter))
    converter.register_structure_hook(ContainerFile, _item_hook(converter, ContainerFile))
    converter.register_structure_hook(FilePage, _page_hook(converter, FilePage, next_page))
    if not detailed:
        converter.register_structure_hook(FilePage, _quick_page_hook(converter))
    converter.register_structure_hook(ContainerPage, _page_hook(converter, ContainerPage, next_container_page))
    converter.register_structure_hook(DeletedFile, _receipt_hook(converter))
    return converter


_fast = _converter(detailed=False)
# Made when the first answer cannot be read: it takes some milliseconds.
_detailed = cache(partial(_converter, detailed=True))


def structure(raw: Any, cls: type[T]) -> T:
    """Read parsed JSON; raises one of READING_ERRORS, and ``problems`` says what is wrong."""
    return _fast.structure(raw, cls)


def in_words(error: BaseException, _: Any = None) -> str:
    """Say what one thing is that is wrong."""
    if isinstance(error, KeyError):
        return "required field missing"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error) or type(error).__name__


def problems(raw: Any, cls: type) -> list[str]:
    """Say everything that is wrong, and where."""
    try:
        _detailed().structure(raw, cls)
    except ClassValidationError as error:
        return transform_error(error, format_exception=in_words)
    except READING_ERRORS as error:
        return [placed(in_words(error))]
    return ["unreadable @ $"]


def placed(problem: str) -> str:
    """Say that a problem is at the root, if it does not say where it is."""
    return problem if " @ $" in problem else f"{problem} @ $"
