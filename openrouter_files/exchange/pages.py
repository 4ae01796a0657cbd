"""Walking through a listing page by page, whatever the pages are pages of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidResponseError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ..models import File, FilePage, PageToken


async def walk(
    page_at: Callable[[PageToken | None], Awaitable[FilePage]], start: PageToken | None
) -> AsyncGenerator[File]:
    """Yield all files from a page on; InvalidResponseError if a page leads back to where it was.

    An empty page that leads on is not the end.
    """
    token = start
    seen: set[PageToken] = set()
    while True:
        page = await page_at(token)
        for file in page.data:
            yield file
        token = page.next
        if token is None:
            return
        if token in seen:
            raise InvalidResponseError([f"the listing repeats itself: {token.value!r} @ $.{token.parameter}"])
        seen.add(token)
