"""Looking at what is new in a listing, once for all who are in doubt at the same time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from attrs import frozen

from ..contract import operations
from ..contract.dates import http_date
from ..errors import APIError, FilesError
from ..exchange import call
from ..exchange.pages import walk
from ..models import PageToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange.transport import Reply, Transport
    from ..models import File, FilePage
    from ..options import Options
    from .ledger import Ledger
    from .twins import Flight

# Doubts tend to come in crowds, when a server goes down: those of one moment share a listing.
_CROWD = 0.05
_LARGEST_PAGE = 1000
# A server that does not know ``after``, or not this id any more.
_NOT_FROM_THERE = frozenset({400, 404, 422})


@frozen(kw_only=True)
class Sight:
    """What a listing showed of the files that somebody misses.

    Attributes:
        began: When it was asked for, on the monotonic clock.
        files: Those with a name and a size that is missed, oldest first.
        server_time: Unix time on the server's clock when the last page came; None if untold.
        seen: When the last page came, on the monotonic clock.
        complete: Whether it held the workspace from its beginning.
        failure: Why there is nothing to see; None if there is.
    """

    began: float
    files: tuple[File, ...] = ()
    server_time: float | None = None
    seen: float = 0.0
    complete: bool = False
    failure: FilesError | None = None

    def begun_before(self, started: float) -> float | None:
        """Return an attempt's start on the server's clock, or up to two seconds before; None if untold.

        Only differences of one clock are used: it does not matter whether the two agree.
        """
        return None if self.server_time is None else self.server_time - (self.seen - started)


class Looks:
    """The listings of one client and workspace."""

    def __init__(self, transport: Transport, ledger: Ledger, in_doubt: Callable[[], list[Flight]]) -> None:
        self._transport = transport
        self._ledger = ledger
        self._in_doubt = in_doubt
        self._turn = asyncio.Lock()
        self._last: Sight | None = None

    async def look(self, since: float, options: Options) -> Sight:
        """Return what a listing shows that began at ``since`` or later; raises what it failed with."""
        async with self._turn:
            if self._last is None or self._last.began < since:
                await asyncio.sleep(_CROWD)
                self._last = await self._take(options)
        if self._last.failure is not None:
            raise self._last.failure
        return self._last

    async def _take(self, options: Options, refused: int = 0) -> Sight:
        flights = self._in_doubt()
        # A provider's own store has an order of its own, perhaps the newest first: it is read whole.
        anchor = None if options.provider or refused > 1 else self._ledger.anchor(flight.mark for flight in flights)
        began = time.monotonic()
        try:
            return await self._from(anchor, flights, began, options)
        except APIError as error:
            if anchor is None or error.status not in _NOT_FROM_THERE:
                return Sight(began=began, failure=error)
        except FilesError as error:
            return Sight(began=began, failure=error)
        self._ledger.forget(anchor)
        return await self._take(options, refused + 1)  # perhaps it refuses all of them

    async def _from(self, anchor: str | None, flights: list[Flight], began: float, options: Options) -> Sight:
        missed = {flight.identity for flight in flights}
        replies: list[Reply] = []

        async def page_at(token: PageToken | None) -> FilePage:
            replies.clear()
            operation = operations.list_files(options, limit=_LARGEST_PAGE, cursor=token)
            return await call.fetch(self._transport, operation, options, witness=replies.append)

        pages = walk(page_at, None if anchor is None else PageToken("after", anchor))
        files = tuple([file async for file in pages if (file.filename, file.size_bytes) in missed])
        return Sight(
            began=began,
            files=files,
            server_time=http_date(replies[-1].headers.get("Date")),
            seen=time.monotonic(),
            complete=anchor is None,
        )
