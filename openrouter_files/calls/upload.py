"""One upload: a source, a form around it, attempts, and finding out about those that may have stuck."""

from __future__ import annotations

import secrets
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from attrs import frozen

from ..contract import multipart, operations
from ..disk.digest import digest
from ..errors import AmbiguousUploadError, FilesError, InvalidResponseError, ServiceUnavailableError
from ..exchange import call
from ..exchange.body import Body
from ..exchange.retry import repeat
from ..models import File
from ..reconciling.twins import Flight

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..contract.requests import Operation
    from ..disk.content import Content, Source
    from ..exchange.transport import Transport
    from ..models import ProgressCallback
    from ..options import Options
    from ..reconciling.claims import Claims


@frozen(kw_only=True)
class Upload:
    """What is uploaded, and under which name."""

    source: Source
    filename: str
    form: multipart.Form
    on_progress: ProgressCallback | None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Content]:
        """Open the source anew, for one attempt."""
        content = await self.source.open()
        try:
            yield content
        finally:
            await content.close()

    def body(self, content: Content) -> Body:
        """Put the form around the content."""
        return Body(self.form, content.size, content.pieces, self.on_progress)


def framed(
    source: Source, *, filename: str | None, content_type: str | None, on_progress: ProgressCallback | None
) -> Upload:
    """Put a form around a source; ValueError if the name or the type cannot be sent."""
    name = source.filename or "" if filename is None else filename
    form = multipart.frame(filename=name, content_type=content_type, boundary=secrets.token_hex(16))
    return Upload(source=source, filename=name, form=form, on_progress=on_progress)


class Uploading:
    """The attempts of one upload."""

    def __init__(self, transport: Transport, options: Options, claims: Claims, upload: Upload) -> None:
        self._transport = transport
        self._options = options
        self._claims = claims
        self._upload = upload
        self._operation: Operation[File] = operations.upload_file(options)

    async def run(self) -> File:
        """Upload; one file is stored, or an error says that none was, or that nobody can tell."""
        request = self._operation.request
        try:
            return await repeat(
                self._attempt,
                self._options.retry,
                worth=self._worth,
                what=call.name(request),
                tell=self._options.on_event,
            )
        except FilesError as error:
            if error.maybe_processed and self._options.retry.ambiguous == "raise":
                raise _ambiguous(error) from error
            raise
        finally:
            await self._upload.source.close()

    def _worth(self, error: FilesError) -> bool:
        if not self._upload.source.replayable:  # sent as it came, and so only once
            return False
        not_an_answer = isinstance(error, InvalidResponseError) and not error.maybe_processed
        return not_an_answer or call.worth_repeating(self._operation.request, self._options, error)

    async def _attempt(self, until: float | None) -> File:
        return await call.through_the_gate(self._transport, self._options, partial(self._once, until), until)

    async def _once(self, until: float | None) -> File:
        """One attempt, and if need be the search for what became of it."""
        flight, outcome = await self._fly(until)
        if isinstance(outcome, File):
            return outcome
        found = await self._claims.resolve(flight, self._options)
        if found is not None:
            return found
        outcome.maybe_processed = False
        raise outcome

    async def _fly(self, until: float | None) -> tuple[Flight, File | FilesError]:
        """Return the attempt and the file, or the error that leaves a doubt; raise any other."""
        async with self._upload.opened() as content:
            flight = self._flight(content)
            await self._claims.twins.begin(flight.identity)
            doubtful = False
            try:
                return flight, await self._send(content, until)
            except FilesError as error:
                doubtful = self._options.retry.ambiguous == "reconcile" and _may_be_stored(error)
                if not doubtful:
                    raise
                return flight, error
            finally:
                self._claims.twins.end(flight, doubtful=doubtful)

    def _flight(self, content: Content) -> Flight:
        return Flight(
            identity=(self._upload.filename, content.size),
            mark=self._claims.ledger.mark,
            started=time.monotonic(),
            digest=self._digest,
        )

    async def _send(self, content: Content, until: float | None) -> File:
        body = self._upload.body(content)
        reply = await self._transport.fetch(self._operation.request, self._options, body=body, until=until)
        file = call.read(self._operation, reply)
        self._claims.ledger.own(file.id)
        return file

    async def _digest(self) -> bytes | None:
        """Return the hash of the content; None if it cannot be read again."""
        if not self._upload.source.replayable:
            return None
        async with self._upload.opened() as content:
            return await digest(content.pieces)


def _may_be_stored(error: FilesError) -> bool:
    """Whether a look is worth it. A 503 says that nothing was done, but not all who say it know."""
    return error.maybe_processed or isinstance(error, ServiceUnavailableError)


def _ambiguous(error: FilesError) -> AmbiguousUploadError:
    ambiguous = AmbiguousUploadError(f"the file may have been stored: {error}")
    ambiguous.request, ambiguous.attempts = error.request, error.attempts
    return ambiguous
