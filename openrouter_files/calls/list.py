"""One page of the files of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract import operations
from ..exchange import call

if TYPE_CHECKING:
    from ..exchange.transport import Transport
    from ..models import FilePage, PageToken
    from ..options import Options
    from ..reconciling.books import Books


async def list_page(
    transport: Transport, options: Options, books: Books, limit: int | None, cursor: PageToken | None
) -> FilePage:
    """Fetch a page; the last file of the last one is where uploads in doubt are looked for from."""
    page = await call.fetch(transport, operations.list_files(options, limit=limit, cursor=cursor), options)
    if page.next is None and page.data:
        books.claims(transport, options).ledger.saw(page.data[-1].id)
    return page
