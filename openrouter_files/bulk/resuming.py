"""Uploads in doubt that another run left behind: what is new in the listing decides what became of them.

It is the thinking of ``reconciling`` with less to go by: the doubts are of another process, perhaps
of another day, so there is no common clock; but there is a journal that knows all ids it has, and
for each intent a file that existed before (its anchor). Nothing like an intent may be under way
meanwhile: settle before the first upload.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field, frozen

from ..errors import APIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..client import FilesClient
    from ..models import File
    from .journal import Intent, Journal

# A server that does not know ``after``, or not this id any more.
_NOT_FROM_THERE = frozenset({400, 404, 422})
# Without an anchor only the clocks tell old from new, and nobody says that they agree.
_CLOCKS_DIFFER = 3600.0


@frozen(kw_only=True)
class Settled:
    """It had been stored; the journal has its id now."""

    intent: Intent
    file: File


@frozen(kw_only=True)
class Withdrawn:
    """It had not been stored; the journal does not have it any more, so it can be sent."""

    intent: Intent


@frozen(kw_only=True)
class Undecided:
    """It may be one of the candidates, and nobody can tell; the journal keeps the intent."""

    intent: Intent
    candidates: tuple[File, ...]


Verdict: TypeAlias = Settled | Withdrawn | Undecided


async def settle(files: FilesClient, journal: Journal, *, moment: float = 1.0) -> tuple[Verdict, ...]:
    """Find out what became of the intents that a journal has no ids for.

    Args:
        files: A client of the journal's destination.
        journal: Its intents are given ids, taken back, or left.
        moment: Seconds until a second look, if something is not there: a store may lag behind.

    Raises:
        FilesError: The listing could not be read, or the journal not be written.
    """
    intents = await journal.intents()
    if not intents:
        return ()
    verdicts = _verdicts(await _look(files, journal, intents), intents)
    if any(isinstance(verdict, Withdrawn) for verdict in verdicts):
        await asyncio.sleep(moment)
        verdicts = _verdicts(await _look(files, journal, intents), intents)
    await asyncio.gather(*(_note(journal, verdict) for verdict in verdicts))
    return verdicts


async def _note(journal: Journal, verdict: Verdict) -> None:
    match verdict:
        case Settled(intent=intent, file=file):
            await journal.stored(intent.row, file.id)
        case Withdrawn(intent=intent):
            await journal.withdraw(intent.row)
        case Undecided():
            pass


@define
class _Sight:
    """What a listing showed of the files that somebody misses.

    Attributes:
        whole: Whether it held the workspace from its beginning.
        count: How many files it showed in all.
        anchors: Where in it the anchors of intents were.
        found: Where files were that may be missed, and the files.
    """

    whole: bool
    count: int = 0
    anchors: dict[str, int] = field(factory=dict[str, int])
    found: list[tuple[int, File]] = field(factory=list["tuple[int, File]"])

    def see(self, file: File, missed: frozenset[tuple[str, int]], anchors: frozenset[str]) -> None:
        """Take in the next file of the listing; only what matters is kept."""
        self.count += 1
        if file.id in anchors:
            self.anchors[file.id] = self.count
        if (file.filename, file.size_bytes) in missed:
            self.found.append((self.count, file))

    def fitting(self, intent: Intent) -> list[File]:
        """Return the files that may be what an intent became."""
        begins = self.anchors.get(intent.anchor or "")
        files = [f for at, f in self.found if _identity(intent) == (f.filename, f.size_bytes) and at > (begins or 0)]
        if begins is not None or not self.whole:
            return files  # all of this is newer than something older than the intent
        return [
            f for f in files if f.created_at and f.created_at.timestamp() >= int(intent.intended_at) - _CLOCKS_DIFFER
        ]


def _identity(intent: Intent) -> tuple[str, int]:
    return intent.entry.source.filename, intent.entry.size


async def _look(files: FilesClient, journal: Journal, intents: Sequence[Intent]) -> _Sight:
    """List what is new, once for all; what the journal owns is left out."""
    # What was known to the first intent was known to all: they are in the order of their beginning.
    start = intents[0].anchor
    try:
        sight = await _listed(files, intents, start)
    except APIError as error:
        if start is None or error.status not in _NOT_FROM_THERE:
            raise
        sight = await _listed(files, intents, None)
    owned = await journal.owned([file.id for _, file in sight.found])
    sight.found = [(at, file) for at, file in sight.found if file.id not in owned]
    return sight


async def _listed(files: FilesClient, intents: Sequence[Intent], start: str | None) -> _Sight:
    sight = _Sight(whole=start is None)
    missed = frozenset(map(_identity, intents))
    anchors = frozenset(intent.anchor for intent in intents if intent.anchor is not None)
    async with aclosing(files.list(after=start)) as listing:
        async for file in listing:
            sight.see(file, missed, anchors)
    return sight


def _verdicts(sight: _Sight, intents: Iterable[Intent]) -> tuple[Verdict, ...]:
    """Decide about all intents; in the order of their names, those of a name as they began."""
    groups = groupby(sorted(intents, key=_identity), _identity)
    return tuple(verdict for _, group in groups for verdict in _verdicts_of_group(sight, [*group]))


def _verdicts_of_group(sight: _Sight, group: Sequence[Intent]) -> list[Verdict]:
    fitting = {intent.row: sight.fitting(intent) for intent in group}
    possible = [intent for intent in group if fitting[intent.row]]
    files = _assigned(possible, fitting)
    return [_verdict(intent, files, fitting[intent.row]) for intent in group]


def _verdict(intent: Intent, files: Mapping[int, File] | None, fitting: Sequence[File]) -> Verdict:
    if not fitting or (files is not None and intent.row not in files):
        return Withdrawn(intent=intent)
    if files is None:
        return Undecided(intent=intent, candidates=tuple(fitting))
    return Settled(intent=intent, file=files[intent.row])


def _assigned(possible: Sequence[Intent], fitting: Mapping[int, Sequence[File]]) -> dict[int, File] | None:
    """Return which file belongs to which intent, as far as there are files; None if nobody can tell."""
    left = {file.id: file for files in fitting.values() for file in files}
    alike = len({intent.entry.sha256 for intent in possible}) <= 1
    assigned: dict[int, File] = {}
    # The latest first: whatever fits it fits those before it, too, but not the other way round.
    for intent in reversed(possible):
        mine = next((file for file in fitting[intent.row] if file.id in left), None)
        if mine is not None:
            assigned[intent.row] = left.pop(mine.id)
    # A file that is left over is somebody else's; but then any of them may be.
    return None if left or not alike else assigned
