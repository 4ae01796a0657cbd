"""Deciding about uploads in doubt: whose file is whose, which was never stored, and what nobody can tell."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from ..errors import AmbiguousUploadError, FilesError
from .ledger import Ledger
from .look import Looks
from .twins import Flight, Twins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..exchange.transport import Transport
    from ..models import File
    from ..options import Options
    from .look import Sight
    from .twins import Group

# Seconds: Date may be told by another machine than created_at.
_TWO_CLOCKS = 2
_GIVEN_UP = "another upload with its name and size was given up not long ago"


class Claims:
    """The uploads of one client into one workspace, on one loop."""

    def __init__(self, transport: Transport) -> None:
        self.ledger = Ledger(transport.base_url)
        self.twins = Twins()
        self._looks = Looks(transport, self.ledger, self.twins.in_doubt)

    async def resolve(self, flight: Flight, options: Options) -> File | None:
        """Find out what became of an upload; None means that it was surely not stored.

        Args:
            flight: The attempt, which was ended in doubt.
            options: Of the call, for the requests that this takes.

        Raises:
            AmbiguousUploadError: Nobody can tell.
        """
        try:
            group = await self.twins.calm(flight)
            async with group.turn:
                if not flight.settled:
                    await self._settle(group, options)
        finally:
            self.twins.leave(flight)
            if not flight.settled or isinstance(flight.verdict, AmbiguousUploadError):
                self.twins.lose(flight)
        if isinstance(flight.verdict, AmbiguousUploadError):
            raise flight.verdict
        return flight.verdict

    async def _settle(self, group: Group, options: Options) -> None:
        """Give all doubtful of a group their verdicts at once."""
        calm_since = time.monotonic()
        moment = 2 * options.retry.first_delay  # a store may lag behind what it was given
        doubtful = list(group.doubtful)
        lost = self.twins.lost(doubtful[0].identity, min(d.started for d in doubtful))
        try:
            sight = await self._looks.look(calm_since, options)
            if len(self._unowned(sight, doubtful)) < len(doubtful):
                await asyncio.sleep(calm_since + moment - time.monotonic())
                sight = await self._looks.look(calm_since + moment, options)
            await self._assign(sight, [d for d in doubtful if d in group.doubtful], lost=lost)
        except FilesError as error:
            for flight in doubtful:
                flight.verdict = _undecided(f"the listing could not be read: {error}", ())
        for flight in doubtful:
            flight.settled = True

    def _unowned(self, sight: Sight, doubtful: Sequence[Flight]) -> list[File]:
        """Return the files that may be one of theirs."""
        return [f for f in sight.files if any(_fits(f, d, sight) for d in doubtful) and not self.ledger.owns(f.id)]

    async def _assign(self, sight: Sight, doubtful: list[Flight], *, lost: bool) -> None:
        files = self._unowned(sight, doubtful)
        problem = _GIVEN_UP if lost else await _why_undecidable(sight, files, doubtful)
        # The latest first: whatever fits it fits those before it, too, but not the other way round.
        for flight in sorted(doubtful, key=lambda d: d.started, reverse=True):
            fitting = [file for file in files if _fits(file, flight, sight)]
            if fitting and problem is not None:
                flight.verdict = _undecided(problem, fitting)
            elif fitting:
                files.remove(fitting[0])
                self.ledger.own(fitting[0].id)
                flight.verdict = fitting[0]


def _fits(file: File, flight: Flight, sight: Sight) -> bool:
    """Whether a file may be what an attempt stored. ``created_at`` has whole seconds, and so has Date."""
    if (file.filename, file.size_bytes) != flight.identity:
        return False
    if file.created_at is None:  # new, if only what is new was listed
        return not sight.complete
    started = sight.begun_before(flight.started)
    return started is None or file.created_at.timestamp() >= math.floor(started) - _TWO_CLOCKS


async def _why_undecidable(sight: Sight, files: Sequence[File], doubtful: Sequence[Flight]) -> str | None:
    if not files:
        return None
    if sight.complete and sight.server_time is None:
        return "the server does not tell its time, so an older file cannot be told from a new one"
    if len(files) > len(doubtful):
        return f"{len(files)} stored files have its name, its size and its time"
    if len(doubtful) > 1 and not _are_alike({await flight.digest() for flight in doubtful}):
        return "other uploads with its name and size, but other content, are in doubt as well"
    return None


def _are_alike(digests: set[bytes | None]) -> bool:
    return len(digests) == 1 and None not in digests


def _undecided(why: str, candidates: Sequence[File]) -> AmbiguousUploadError:
    return AmbiguousUploadError(f"the file may have been stored: {why}", candidates=candidates)
