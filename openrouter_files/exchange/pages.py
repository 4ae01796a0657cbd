"""Walking through a listing page by page, whatever the pages are pages of."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import InvalidResponseError
from ..given import check

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from ..models import File, PageToken

T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """Some items, and where the next page starts."""

    @property
    def data(self) -> Iterable[T_co]:
        """The items, in the order of the listing."""
        ...

    @property
    def next(self) -> PageToken | None:
        """None after the last page."""
        ...


async def walk(
    page_at: Callable[[PageToken | None], Awaitable[Page[T_co]]], start: PageToken | None
) -> AsyncGenerator[T_co]:
    """Yield all items from a page on; InvalidResponseError if a page leads back to where it was.

    An empty page that leads on is not the end.
    """
    token = start
    seen: set[PageToken] = set()
    while True:
        page = await page_at(token)
        for item in page.data:
            yield item
        token = page.next
        del page  # 1,000 files need not wait for the next 1,000
        if token is None:
            return
        if token in seen:
            raise InvalidResponseError([f"the listing repeats itself: {token.value!r} @ $.{token.parameter}"])
        seen.add(token)


def made_since(files: AsyncGenerator[File], moment: datetime) -> AsyncGenerator[File]:
    """Return those of some files that were created at a moment or later; the API has no such filter.

    Raises:
        TypeError: It is no moment.
        ValueError: It has no time zone, and so cannot be compared with theirs.
    """
    check("created_since", moment, datetime)
    if moment.tzinfo is None:
        raise ValueError("created_since needs a time zone: datetime.now(UTC), or moment.astimezone() for local time")
    return _made_since(files, moment)


async def _made_since(files: AsyncGenerator[File], moment: datetime) -> AsyncGenerator[File]:
    async with aclosing(files):
        async for file in files:
            if file.created_at >= moment:
                yield file
