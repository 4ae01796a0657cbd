"""Finds where the next page of a listing starts, in each of the shapes a listing has had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..models import PageToken

if TYPE_CHECKING:
    from collections.abc import Mapping

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
