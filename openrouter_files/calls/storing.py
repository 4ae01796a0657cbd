"""What stores a file at most once: attempts, and finding out about those that may have stuck."""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from attrs import frozen

from ..errors import (
    AmbiguousUploadError,
    APIError,
    FilesError,
    InvalidResponseError,
    ServiceUnavailableError,
    TransportError,
    TransportTimeoutError,
)
from ..exchange import call
from ..exchange.deadline import no_later
from ..exchange.retry import repeat
from ..models import File
from ..reconciling.twins import Flight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from ..contract.requests import Operation
    from ..exchange.rate_limit import Caller
    from ..exchange.transport import Reply, Transport
    from ..options import Options
    from ..reconciling.claims import Claims
    from ..reconciling.twins import Identity


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
