"""What callers give: told at once if it is of the wrong type, before a byte is sent. Imports nothing of the package."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

_SPOKEN_WITH_A_VOWEL = (*"aeiouAEIOU", "SSL")


def _named(kind: type) -> str:
    if kind is NoneType:
        return "None"
    return f"{'an' if kind.__name__.startswith(_SPOKEN_WITH_A_VOWEL) else 'a'} {kind.__name__}"


def check(what: str, value: object, *kinds: type) -> None:
    """Raise TypeError, in words of the caller, if a value is of none of these types; a bool is no int."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{what} is {' or '.join(map(_named, kinds))}, not {type(value).__name__}")


def of(*kinds: type) -> Callable[[Any, Attribute[Any], Any], None]:
    """Return the validator of a field that is of one of these types."""
    return lambda _, attribute, value: check(attribute.name, value, *kinds)


def function_or_none(_: Any, attribute: Attribute[Any], value: object) -> None:
    """Validate a field that somebody is told by, or nobody."""
    if value is not None and not callable(value):
        raise TypeError(f"{attribute.name} is a function or None, not {type(value).__name__}")
