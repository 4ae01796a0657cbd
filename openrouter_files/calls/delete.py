"""One deletion: a second request that finds nothing may be the proof that the first one worked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..contract import operations
from ..errors import FilesError, NotFoundError, ServiceUnavailableError
from ..exchange import call
from ..exchange.retry import repeat
from ..models import DeletedFile

if TYPE_CHECKING:
    from ..exchange.rate_limit import Caller
    from ..exchange.transport import Transport
    from ..options import Options


class Deleting:
    """The attempts of one deletion."""

    def __init__(self, transport: Transport, options: Options, file_id: str) -> None:
        self._transport = transport
        self._options = options
        self._file_id = file_id
        self._operation = operations.delete_file(options, file_id)
        self._maybe_done = False

    async def run(self) -> DeletedFile:
        """Delete; NotFoundError if the file was not there before."""
        request = self._operation.request
        worth = partial(call.worth_repeating, request, self._options)
        return await repeat(
            self._attempt, self._options.retry, worth=worth, what=call.name(request), tell=self._options.on_event
        )

    async def _attempt(self, caller: Caller) -> DeletedFile:
        try:
            return await call.in_turn(self._transport, caller, partial(self._once, caller.until))
        except NotFoundError:
            if not self._maybe_done:
                raise
            return DeletedFile(id=self._file_id)
        except FilesError as error:
            # A 503 says that nothing was done, but not all who say it know.
            self._maybe_done |= error.maybe_processed or isinstance(error, ServiceUnavailableError)
            raise

    async def _once(self, until: float | None) -> DeletedFile:
        reply = await self._transport.fetch(self._operation.request, self._options, until=until)
        self._maybe_done |= reply.sends > 1  # aiohttp repeats by itself what met a connection just closed
        return call.read(self._operation, reply)
