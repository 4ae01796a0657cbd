"""Walks over the pages of a listing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import InvalidResponseError
from ..local.threads import ended
from ..models import File, FilePage, PageToken
from ..options import Options, check
from ..protocol import requests as operations
from ..transport import retry as call
from ..transport.http import Transport

if TYPE_CHECKING:
    from .reconcile import Books


# ---- Walking through a listing page by page, whatever the pages are pages of.

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

    An empty page that leads on is not the end. Whoever has come to a second page will hardly stop there: from then
    on, each is fetched while the items of the one before are taken. Who does nothing but take them, 20,000 from a
    server on the same machine, has them in a tenth less time; whose work takes longer than a page waits for two only.
    """
    seen: set[PageToken] = set()
    ahead: asyncio.Future[Page[T_co]] | None = None
    page = await page_at(start)
    try:
        while True:
            token, repeated = page.next, page.next in seen
            if seen and token is not None and not repeated:
                ahead = asyncio.ensure_future(page_at(token))
                await asyncio.sleep(0)  # a caller who only takes items would not let it begin
            for item in page.data:
                yield item
            del page  # 1,000 files need not wait for the next 1,000
            if token is None:
                return
            if repeated:
                raise InvalidResponseError([f"the listing repeats itself: {token.value!r} @ $.{token.parameter}"])
            seen.add(token)
            page = await (ahead or page_at(token))
    finally:
        if ahead is not None:
            ahead.cancel()
            await ended(ahead)


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
            if file.created_at is not None and file.created_at >= moment:
                yield file


# ---- One page of the files of a workspace.


async def list_page(
    transport: Transport, options: Options, books: Books, limit: int | None, cursor: PageToken | None
) -> FilePage:
    """Fetch a page; the last file of the last one is where uploads in doubt are looked for from."""
    page = await call.fetch(transport, operations.list_files(options, limit=limit, cursor=cursor), options)
    if page.next is None and page.data:
        books.claims(transport, options).ledger.saw(page.data[-1].id)
    return page
