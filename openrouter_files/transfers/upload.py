"""Stores a file at most once."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from hashlib import blake2b
from itertools import count

from attrs import field, frozen

from ..errors import (
    AmbiguousUploadError,
    APIError,
    FilesError,
    InvalidResponseError,
    NotFoundError,
    ServiceUnavailableError,
    TransportError,
    TransportTimeoutError,
)
from ..local.sources import Content, Source, digest
from ..models import ContainerFile, DeletedFile, File, ProgressCallback
from ..options import Options, listener
from ..protocol import multipart
from ..protocol import requests as operations
from ..protocol.requests import Operation
from ..transport import retry as call
from ..transport.body import Body
from ..transport.http import Reply, Transport
from ..transport.rate_limit import Caller
from ..transport.retry import repeat
from ..transport.session import no_later
from .reconcile import Claims, Flight, Identity

# ---- What stores a file at most once: attempts, and finding out about those that may have stuck.


@frozen(kw_only=True)
class Sending:
    """One attempt, ready to go.

    Attributes:
        identity: The name and the size that the stored file will have.
        send: Sends the request, once; told when the call must have ended, and whether a new connection is needed.
    """

    identity: Identity
    send: Callable[[float | None, bool], Awaitable[Reply]]


@frozen(kw_only=True)
class Deed:
    """What is to be stored.

    Attributes:
        operation: The request, and how its answer is read.
        prepare: Makes an attempt ready, and tidies up after it.
        digest: Tells alike content from other; None if it cannot be told.
        repeatable: Whether ``prepare`` works more than once.
    """

    operation: Operation[File]
    prepare: Callable[[], AbstractAsyncContextManager[Sending]]
    digest: Callable[[], Awaitable[bytes | None]]
    repeatable: bool = True


class Storing:
    """The attempts of one deed."""

    def __init__(self, transport: Transport, options: Options, claims: Claims, deed: Deed) -> None:
        self._transport = transport
        self._options = options
        self._claims = claims
        self._deed = deed
        self._broke = False

    async def run(self) -> File:
        """Do it; one file is stored, or an error says that none was, or that nobody can tell."""
        retry = self._options.retry
        what = call.name(self._deed.operation.request)
        try:
            return await repeat(self._attempt, retry, worth=self._worth, what=what, tell=self._options.on_event)
        except AmbiguousUploadError as error:
            if isinstance(error.__cause__, FilesError):  # the failure behind the doubt counts like the doubt
                error.__cause__.attempts = error.attempts
            raise

    def _worth(self, error: FilesError) -> bool:
        if not self._deed.repeatable:  # sent as it came, and so only once
            return False
        not_an_answer = isinstance(error, InvalidResponseError) and not error.maybe_processed
        return not_an_answer or call.worth_repeating(self._deed.operation.request, self._options, error)

    async def _attempt(self, caller: Caller) -> File:
        return await call.in_turn(self._transport, caller, partial(self._once, caller.until))

    async def _once(self, until: float | None) -> File:
        """One attempt, and if need be the search for what became of it."""
        began = time.monotonic()
        flight, outcome = await self._fly(until)
        if isinstance(outcome, File):
            return outcome
        if isinstance(outcome, APIError) and (outcome.retry_after or 0) <= self._options.retry.max_delay:
            # A 503 that says how long holds for the search, too.
            self._transport.rate_limit.refused(outcome, began, time.monotonic())
        found = await self._resolved(flight, until)
        if found is not None:
            return found
        outcome.maybe_processed = False
        raise outcome

    async def _begun(self, flight: Flight, until: float | None) -> None:
        async with nullcontext() if until is None else no_later(until):
            await self._claims.twins.begin(flight.identity)

    async def _resolved(self, flight: Flight, until: float | None) -> File | None:
        try:
            async with no_later(until):
                return await self._claims.resolve(flight, self._options)
        except TransportTimeoutError as error:
            raise _ambiguous(error) from error

    async def _fly(self, until: float | None) -> tuple[Flight, File | FilesError]:
        """Return the attempt and the file, or the error that leaves a doubt; raise any other."""
        doubt: Flight | None = None
        try:
            async with self._deed.prepare() as sending:
                flight = self._flight(sending)
                await self._begun(flight, until)
                try:
                    return flight, self._stored(await sending.send(until, self._broke))
                except FilesError as error:
                    self._broke = isinstance(error, TransportError)
                    policy = self._options.retry.ambiguous
                    if policy == "raise" and _may_be_stored(error):  # here, where it is known that something was sent
                        if isinstance(error, APIError):
                            # Its Retry-After holds for all calls.
                            self._transport.rate_limit.refused(error, flight.started, time.monotonic())
                        raise _ambiguous(error) from error
                    if policy != "reconcile" or not _may_be_stored(error):
                        raise
                    doubt = flight
                    return flight, error
                except BaseException:
                    self._claims.twins.lose(flight)
                    raise
                finally:
                    self._claims.twins.end(flight, doubtful=doubt is not None)
        except BaseException:
            if doubt is not None:  # cancelled while the source was closed: nobody will look for it
                self._claims.twins.leave(doubt)
                self._claims.twins.lose(doubt)
            raise

    def _flight(self, sending: Sending) -> Flight:
        return Flight(
            identity=sending.identity,
            mark=self._claims.ledger.mark,
            started=time.monotonic(),
            digest=self._deed.digest,
        )

    def _stored(self, reply: Reply) -> File:
        file = call.read(self._deed.operation, reply)
        self._claims.ledger.own(file.id)
        return file


def _may_be_stored(error: FilesError) -> bool:
    """Whether a look is worth it. A 503 says that nothing was done, but not all who say it know."""
    return error.maybe_processed or isinstance(error, ServiceUnavailableError)


def _ambiguous(error: FilesError) -> AmbiguousUploadError:
    ambiguous = AmbiguousUploadError(f"the file may have been stored: {error}")
    ambiguous.request, ambiguous.attempts = error.request, error.attempts
    ambiguous.status = error.status if isinstance(error, APIError) else None
    return ambiguous


# ---- One upload: a source, and a form around it.


@frozen(kw_only=True)
class Upload:
    """What is uploaded, and under which name."""

    source: Source
    filename: str
    form: multipart.Form
    on_progress: ProgressCallback | None = field(validator=listener)

    def body(self, content: Content) -> Body:
        """Return what an attempt sends."""
        return Body(self.form, content.size, content.pieces, self.on_progress, data=content.data)

    async def digest(self) -> bytes | None:
        """Return the hash of the content; None if it cannot be read again."""
        if not self.source.replayable:
            return None
        try:
            content = await self.source.open()
            try:
                return await digest(content.pieces)
            finally:
                await content.close()
        except (FilesError, OSError, ValueError):  # its call was cancelled meanwhile, or its file is gone
            return None


class _Attempt:
    """The source, opened anew for one attempt: a class, which ``async with`` enters faster than a generator."""

    def __init__(self, upload: Upload, send: Callable[[Content, float | None, bool], Awaitable[Reply]]) -> None:
        self._upload = upload
        self._send = send
        self._content: Content | None = None

    async def __aenter__(self) -> Sending:
        content = self._content = await self._upload.source.open()
        return Sending(identity=(self._upload.filename, content.size), send=partial(self._send, content))

    async def __aexit__(self, *_: object) -> None:
        if self._content is not None:
            await self._content.close()


# What nobody can guess cannot be written into a file. The system's own randomness costs 25 microseconds a piece.
_secret, _drawn = secrets.token_bytes(32), count()


def _boundary() -> str:
    return blake2b(next(_drawn).to_bytes(8), digest_size=16, key=_secret).hexdigest()


def framed(
    source: Source, *, filename: str | None, content_type: str | None, on_progress: ProgressCallback | None
) -> Upload:
    """Put a form around a source; ValueError if the name or the type cannot be sent."""
    name = source.filename or "" if filename is None else filename
    form = multipart.frame(filename=name, content_type=content_type, boundary=_boundary())
    return Upload(source=source, filename=name, form=form, on_progress=on_progress)


async def upload(transport: Transport, options: Options, claims: Claims, upload: Upload) -> File:
    """Carry out an upload; see Storing."""
    operation = operations.upload_file(options)

    async def send(content: Content, until: float | None, fresh: bool) -> Reply:
        return await transport.fetch(operation.request, options, body=upload.body(content), until=until, fresh=fresh)

    deed = Deed(
        operation=operation,
        prepare=partial(_Attempt, upload, send),
        digest=upload.digest,
        repeatable=upload.source.replayable,
    )
    try:
        return await Storing(transport, options, claims, deed).run()
    finally:
        await upload.source.close()


# ---- One promotion: a file of a container copied into the workspace, once.


async def promote(transport: Transport, options: Options, claims: Claims, file: ContainerFile) -> File:
    """Carry out a promotion; see Storing. The copy has the path for a name, and the same size."""
    operation = operations.promote_container_file(file.container_id, file.id)

    async def send(until: float | None, fresh: bool) -> Reply:
        return await transport.fetch(operation.request, options, until=until, fresh=fresh)

    @asynccontextmanager
    async def prepare() -> AsyncGenerator[Sending]:
        yield Sending(identity=(file.path, file.size_bytes), send=send)

    async def digest() -> bytes:
        # Two promotions of one file have the same content; of others nobody knows.
        return f"{file.container_id}/{file.id}".encode()

    return await Storing(transport, options, claims, Deed(operation=operation, prepare=prepare, digest=digest)).run()


# ---- One deletion: a second request that finds nothing may be the proof that the first one worked.


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
