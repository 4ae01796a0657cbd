"""Uploads that look alike in a listing, having one name and one size: none may take another's file."""

from __future__ import annotations

import asyncio
import math
import time
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..errors import AmbiguousUploadError
    from ..models import File

Identity: TypeAlias = tuple[str, int | None]

# So long a server may take for what nobody waits for any more; so many are remembered.
_LOST_FOR, _MOST_LOST = 120.0, 4096


@define(eq=False)
class Flight:
    """One attempt of an upload.

    Attributes:
        identity: Filename and size.
        mark: What the client knew when it started.
        started: Seconds on the monotonic clock.
        digest: Reads the content again for its hash; None if it cannot be read again.
        verdict: After a doubt: the file, None if it was not stored, or why nobody can tell.
    """

    identity: Identity
    mark: int
    started: float
    digest: Callable[[], Awaitable[bytes | None]]
    verdict: File | AmbiguousUploadError | None = None
    settled: bool = False


@define(eq=False, slots=False)
class Group:
    """The attempts of one identity: those under way and those in doubt.

    What those in doubt wait with is made when somebody is: hardly ever.
    """

    flying: int = 0
    doubtful: list[Flight] = field(factory=list["Flight"])

    @cached_property
    def turn(self) -> asyncio.Lock:
        """Taken by whoever looks for all of them."""
        return asyncio.Lock()

    @cached_property
    def calm(self) -> asyncio.Event:
        """Set when none is under way any more."""
        return asyncio.Event()

    @cached_property
    def clear(self) -> asyncio.Event:
        """Set when none is in doubt any more."""
        return asyncio.Event()


class Twins:
    """The groups of one client and workspace.

    While a group has doubts, no new attempt of its identity starts; a doubt is looked into only when
    none is under way any more. So the files that nobody owns then are those of the doubtful.
    """

    def __init__(self) -> None:
        self._groups: dict[Identity, Group] = {}
        self._lost: dict[Identity, float] = {}

    async def begin(self, identity: Identity) -> None:
        """Start an attempt, as soon as nobody of this identity is in doubt."""
        while (group := self._groups.get(identity) or self._groups.setdefault(identity, Group())).doubtful:
            group.clear.clear()
            await group.clear.wait()
        group.flying += 1

    def end(self, flight: Flight, *, doubtful: bool) -> None:
        """End an attempt, perhaps in doubt."""
        group = self._groups[flight.identity]
        group.flying -= 1
        if doubtful:
            group.doubtful.append(flight)
        if group.doubtful and not group.flying:
            group.calm.set()
        self._tidy(flight.identity, group)

    async def calm(self, flight: Flight) -> Group:
        """Wait until no attempt like a doubtful one is under way; return their group."""
        group = self._groups[flight.identity]
        while group.flying:
            group.calm.clear()
            await group.calm.wait()
        return group

    def leave(self, flight: Flight) -> None:
        """Take back a doubt, settled or abandoned."""
        group = self._groups[flight.identity]
        group.doubtful.remove(flight)
        if not group.doubtful:
            group.clear.set()
        self._tidy(flight.identity, group)

    def lose(self, flight: Flight) -> None:
        """Remember an attempt that was given up: the server may have stored it, or do so yet, and nobody claims it."""
        self._lost.pop(flight.identity, None)
        self._lost[flight.identity] = time.monotonic()
        if len(self._lost) > _MOST_LOST:
            del self._lost[next(iter(self._lost))]

    def lost(self, identity: Identity, since: float) -> bool:
        """Whether one was given up not long before a moment, or after it."""
        return self._lost.get(identity, -math.inf) >= since - _LOST_FOR

    def in_doubt(self) -> list[Flight]:
        """Return all flights in doubt, of whatever identity."""
        return [flight for group in self._groups.values() for flight in group.doubtful]

    def _tidy(self, identity: Identity, group: Group) -> None:
        if not group.flying and not group.doubtful:
            self._groups.pop(identity, None)
