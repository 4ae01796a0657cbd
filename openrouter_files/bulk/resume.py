"""Resolves what a killed job left open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from itertools import groupby
from types import TracebackType
from typing import Self, TypeAlias

from attrs import define, field, frozen

from ..client import FilesClient
from ..errors import AmbiguousUploadError, APIError, FilesError, NotFoundError
from ..models import File
from .engine import Turns
from .journal import Entry, Intent, Journal, Stamp, placed, without_journal
from .outcomes import LocalFile, Skipped
from .preflight import Inspection, changed

# ---- Uploads in doubt that another run left behind: what is new in the listing decides what became of them.
#
# It is the thinking of ``reconciling`` with less to go by: the doubts are of another process, perhaps
# of another day, so there is no common clock; but there is a journal that knows all ids it has, and
# for each intent a file that existed before (its anchor). Nothing like an intent may be under way
# meanwhile: settle before the first upload.

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


# ---- What a job of uploads knows of earlier runs: a journal, or nothing.

# Seconds by which the clock of this machine and that of the server may differ.
_BOOKKEEPING_CLOCKS_DIFFER = 60.0


@define
class Noted:
    """What an upload became; set before its entry ends."""

    file_id: str = ""


def _stamps(sources: Sequence[LocalFile]) -> list[Stamp]:
    """Read size and time of files; one that is not there has none that a journal knows."""
    found: list[Stamp] = []
    for source in sources:
        try:
            status = os.stat(source.path)  # noqa: PTH116 - a path is text here
            found.append((source, status.st_size, status.st_mtime_ns, changed(status)))
        except (OSError, ValueError):
            found.append((source, -1, 0, ""))
    return found


class Bookkeeping:
    """A journal for as long as a job runs."""

    def __init__(
        self, files: FilesClient, path: str | os.PathLike[str] | None, *, skip_known: bool, verify: bool
    ) -> None:
        self._files = files
        self._path = path
        self._skip_known = skip_known
        self._verify = verify
        self._journal: Journal | None = None
        self._newest: str | None = None
        self._undecided: dict[LocalFile, Undecided] = {}
        self._lacks_some = False
        self._turns = Turns()

    @property
    def kept(self) -> bool:
        """Whether there is a journal."""
        return self._path is not None

    async def __aenter__(self) -> Self:
        if self._path is not None:
            self._journal = await Journal.open(self._path, destination=_destination(self._files))
            try:
                await self._settle(self._journal)
            except BaseException:
                await self._journal.close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            await self._journal.close()

    async def _settle(self, journal: Journal) -> None:
        moment = 2 * self._files.options.retry.first_delay  # as the client waits for its own doubts
        for verdict in await settle(self._files, journal, moment=moment):
            if isinstance(verdict, Undecided):
                self._undecided[verdict.intent.entry.source] = verdict
        if journal.begun is not None:
            # All of them: what was lost may be older than the newest that is left. The journal keeps what it does not
            # know, as this job may be about other files, or end before it has come to them.
            listed = [file async for file in self._files.list()]
            await journal.unrecorded(listed, since=journal.begun - _BOOKKEEPING_CLOCKS_DIFFER)
        self._lacks_some = await journal.has_unrecorded()
        if self._files.options.provider is None:  # a provider's listing may have another order
            self._newest = await journal.newest_id() or await _last_id(self._files)

    async def without_own(self, sources: list[LocalFile]) -> list[LocalFile]:
        """Return the sources that are not files of the journal itself."""
        if self._path is None:
            return sources
        return await asyncio.to_thread(without_journal, os.fspath(self._path), sources)

    async def done(self, sources: Sequence[LocalFile]) -> list[Skipped | None]:
        """Return which of some files an earlier run stored, going by their size and time."""
        if self._journal is None or self._verify:
            return [None] * len(sources)
        stamps = await asyncio.to_thread(_stamps, sources)
        ids = await self._journal.done_many(stamps)
        pairs = zip(sources, ids, strict=True)
        return [Skipped(source=s, reason="done", file_id=i) if i is not None else None for s, i in pairs]

    async def known(self, source: LocalFile, inspection: Inspection) -> Skipped | None:
        """Return the file that this content is already, if it need not be sent.

        Raises:
            AmbiguousUploadError: An earlier run left a doubt about it that nobody can settle.
        """
        if self._journal is None:
            return None
        doubt = self._undecided.get(placed(source))
        if doubt is not None:
            raise AmbiguousUploadError("an earlier run may have stored it", candidates=doubt.candidates)
        entry = _entry(source, inspection)
        while (found := await self._found(self._journal, entry)) is not None:
            if await self._is_there(self._journal, found.file_id):
                await self._journal.adopt(entry, found.file_id)
                return found
        return await self._recovered(self._journal, entry)

    async def _recovered(self, journal: Journal, entry: Entry) -> Skipped | None:
        """Return the stored file that a journal which was not closed has lost, if there is one that fits."""
        if not self._lacks_some:
            return None
        oldest = entry.mtime_ns / 1e9 - _BOOKKEEPING_CLOCKS_DIFFER
        while (file_id := await journal.recovered(entry, oldest=oldest)) is not None:
            if await self._is_there(journal, file_id):
                return Skipped(source=entry.source, reason="done", file_id=file_id)
        return None

    async def _found(self, journal: Journal, entry: Entry) -> Skipped | None:
        """Return what the journal knows; if that is nothing, the caller may send it, as long as it does not pause."""
        if (file_id := await journal.refreshed(entry)) is not None:
            return Skipped(source=entry.source, reason="done", file_id=file_id)
        while self._skip_known:
            if (file_id := await journal.known(entry.sha256, entry.size)) is not None:
                return Skipped(source=entry.source, reason="known", file_id=file_id)
            if not await self._turns.over((entry.sha256, entry.size)):
                break
        return None

    async def _is_there(self, journal: Journal, file_id: str) -> bool:
        if not self._verify:
            return True
        try:
            await self._files.retrieve(file_id)
        except NotFoundError:
            await journal.forget(file_id)
            return False
        return True

    @asynccontextmanager
    async def entry(self, source: LocalFile, inspection: Inspection) -> AsyncGenerator[Noted]:
        """Note an upload before it begins and when it has ended; a doubt stays noted as what it is."""
        noted = Noted()
        if self._journal is None:
            yield noted
            return
        entry = _entry(source, inspection)
        with self._turns.taken((entry.sha256, entry.size)) if self._skip_known else nullcontext():
            row = await self._journal.intend(entry, anchor=self._newest)
            try:
                yield noted
            except Exception as error:
                if _surely_not_stored(error):
                    await self._journal.withdraw(row)
                raise
            await self._note(self._journal, row, noted.file_id, entry)

    async def _note(self, journal: Journal, row: int, file_id: str, entry: Entry) -> None:
        """Note what was stored; if the file is not what was hashed any more, not as its content: nobody knows."""
        (stamp,) = await asyncio.to_thread(_stamps, [entry.source])
        await journal.stored(row, file_id, hashed=stamp == (entry.source, entry.size, entry.mtime_ns, entry.changed))
        self._newest = None if self._files.options.provider else file_id


async def _last_id(files: FilesClient) -> str | None:
    """Return the newest file of the workspace: whatever a killed job stored comes after it.

    Once for each new journal. Without it, only clocks could tell an old file from a new one.
    """
    last: str | None = None
    async for file in files.list():
        last = file.id
    return last


def _surely_not_stored(error: Exception) -> bool:
    """Whether an upload that failed left nothing behind. What a callback raised says nothing about that."""
    return isinstance(error, OSError) if not isinstance(error, FilesError) else not error.maybe_processed


def _entry(source: LocalFile, inspection: Inspection) -> Entry:
    return Entry(
        source=source,
        size=inspection.size,
        mtime_ns=inspection.mtime_ns,
        sha256=inspection.sha256,
        changed=inspection.changed,
    )


def _destination(files: FilesClient) -> str:
    options = files.options
    return f"{files.base_url} {options.workspace_id or ''} {options.provider or ''}".rstrip()
