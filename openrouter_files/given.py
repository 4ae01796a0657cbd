"""What callers give: told at once if it is of the wrong type, before a byte is sent. Imports nothing of the package."""

from __future__ import annotations

import inspect
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

T = TypeVar("T")

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


def check_listener(what: str, value: object) -> None:
    """Raise TypeError if a value is neither None nor a function that can be called to tell something.

    An async function would be called, but never run.
    """
    if value is None:
        return
    if not callable(value):
        raise TypeError(f"{what} is a function or None, not {type(value).__name__}")
    while isinstance(value, partial):
        value = value.func
    if any(map(_is_async, (value, type(value).__call__))):
        raise TypeError(f"{what} is called, not awaited: give a function that is not async")


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def listener(_: Any, attribute: Attribute[Any], value: object) -> None:
    """Validate a field that somebody is told by, or nobody; see check_listener."""
    check_listener(attribute.name, value)


def tell(what: str, listener: Callable[[T], object], news: T) -> None:
    """Call a listener; TypeError if it turns out to be async, which no look at a lambda can tell."""
    answer = listener(news)
    if inspect.iscoroutine(answer):  # a task or a future goes on by itself
        answer.close()
        raise TypeError(f"{what} is called, not awaited: give a function that is not async")
