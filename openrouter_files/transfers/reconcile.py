"""Finds out what became of an upload whose response was lost."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from attrs import define, field, frozen

from ..errors import AmbiguousUploadError, APIError, FilesError
from ..models import File, FilePage, PageToken
from ..options import Options
from ..protocol import requests as operations
from ..protocol.responses import http_date
from ..transport import retry as call
from ..transport.http import Reply, Transport
from .listing import walk

# ---- What a client knows of a listing: which files are its own, and where to start looking for others.

# Far more than can be under way at once: an id that is older cannot be taken for a new file.
_MOST_OWNED = 4096
_MOST_ANCHORS = 256


# By base URL: ids are unique there, and what one client of this process stored is not what another misses.
_owned: dict[str, dict[str, None]] = {}


class Ledger:
    """Ids in the order in which this client learned of them.

    Whatever was known when an attempt started was created before anything that attempt stored:
    a listing from there on holds all that matters.
    """

    def __init__(self, base_url: str) -> None:
        self._count = 0
        self._owned = _owned.setdefault(base_url, {})
        self._anchors: deque[tuple[int, str]] = deque(maxlen=_MOST_ANCHORS)

    @property
    def mark(self) -> int:
        """Now, in the order of what was learned."""
        return self._count

    def own(self, file_id: str) -> None:
        """Remember a file that one of our uploads became."""
        self._owned[file_id] = None
        if len(self._owned) > _MOST_OWNED:
            with suppress(KeyError, RuntimeError):  # another thread's loop was faster
                del self._owned[next(iter(self._owned))]
        self.saw(file_id)

    def saw(self, file_id: str) -> None:
        """Remember a file that exists, whoever made it."""
        self._count += 1
        self._anchors.append((self._count, file_id))

    def forget(self, file_id: str) -> None:
        """A file that is gone is no place to start from."""
        self._anchors = deque((a for a in self._anchors if a[1] != file_id), maxlen=_MOST_ANCHORS)

    def owns(self, file_id: str) -> bool:
        """Whether an upload of ours has this file already."""
        return file_id in self._owned

    def anchor(self, marks: Iterable[int]) -> str | None:
        """Return the newest id that was known at all of these marks; None if there is none."""
        oldest = min(marks)
        return next((file_id for learned, file_id in reversed(self._anchors) if learned <= oldest), None)


# ---- Uploads that look alike in a listing, having one name and one size: none may take another's file.

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


# ---- Looking at what is new in a listing, once for all who are in doubt at the same time.

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


# ---- Deciding about uploads in doubt: whose file is whose, which was never stored, and what nobody can tell.

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


# ---- The claims of a client: one set for each loop and each workspace it has uploaded to.

if TYPE_CHECKING:
    Scope: TypeAlias = tuple[str | None, str | None]


class Books:
    """Shared by a client and all that ``with_options`` makes of it."""

    def __init__(self) -> None:
        self._claims: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Scope, Claims]] = WeakKeyDictionary()

    def claims(self, transport: Transport, options: Options) -> Claims:
        """Return the claims of the running loop and of the workspace that the options name."""
        for closed in [each for each in self._claims if each.is_closed()]:
            del self._claims[closed]  # locks and events refer to their loop, and would keep it alive
        scopes = self._claims.setdefault(asyncio.get_running_loop(), {})
        scope = (options.workspace_id, options.provider)
        if scope not in scopes:
            scopes[scope] = Claims(transport)
        return scopes[scope]
