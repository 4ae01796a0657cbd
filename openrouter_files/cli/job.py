"""A job over many files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from attrs import define, field, frozen

from openrouter_files import (
    AmbiguousUploadError,
    AuthenticationError,
    Deleted,
    Downloaded,
    Failed,
    File,
    LocalFile,
    NotTried,
    Refused,
    Skipped,
    Uploaded,
)

from .errors import EXPECTED, Remedy, failure_of, message_of, of_error, of_refusal
from .formatting import files, plain, size
from .output import Output, Row, Rows, short_row
from .process import Exit, exit_among
from .progress import Gauge, drawn

if TYPE_CHECKING:
    from openrouter_files import FilesClient


# ---- What went wrong in a job, by what to do about it: a table for its end, of which only so much is kept.

_MOST_ROWS = 20
_WIDEST = 40


@frozen(kw_only=True)
class Trouble:
    """One file that has not what the job was to give it.

    Attributes:
        source: What it was.
        words: What happened.
        remedy: What to do.
        exit: What the status is if this was the only file.
        line: All of it, for people who get nothing else.
        json: For programs.
    """

    source: str
    words: str
    remedy: Remedy
    exit: Exit
    line: str
    json: dict[str, Any]


def label(source: LocalFile | File | str) -> str:
    """Return what people know a file as."""
    if isinstance(source, LocalFile):
        return source.path
    return source if isinstance(source, str) else f"{source.filename} ({source.id})"


def key(source: LocalFile | File | str) -> str:
    """Return what programs know a file as: its path, or its id."""
    return source.id if isinstance(source, File) else label(source)


def trouble_of(outcome: Failed | Refused) -> Trouble:
    """Describe what happened to a file."""
    return _refused(outcome) if isinstance(outcome, Refused) else _failed(outcome)


def _refused(outcome: Refused) -> Trouble:
    source, reason = outcome.source.path, outcome.reason
    told = {"source": source, "filename": outcome.source.filename, "reason": reason}
    error = {"type": "Refused", "message": outcome.detail}
    return Trouble(
        source=source,
        words="" if reason == "type" else outcome.detail,
        remedy=of_refusal(reason),
        exit=Exit.ERROR,
        line=plain(f"{source}: not sent: {outcome.detail}"),
        json={"outcome": "refused", "error": error, **told},
    )


def _failed(outcome: Failed) -> Trouble:
    error, source = outcome.error, label(outcome.source)
    failure = failure_of(error, source)
    ids = [file.id for file in error.candidates] if isinstance(error, AmbiguousUploadError) else []
    words = message_of(error).removeprefix(f"{source}: ")
    return Trouble(
        source=source,
        words=f"{words} ({', '.join(ids)})" if ids else words,
        remedy=of_error(error),
        exit=failure.exit,
        line=failure.line,
        json={**failure.json, "source": key(outcome.source)},
    )


@define
class _Group:
    """The troubles with one remedy; of many only some are kept."""

    count: int = 0
    rows: list[tuple[str, str]] = field(factory=list[tuple[str, str]])

    def add(self, trouble: Trouble) -> None:
        self.count += 1
        if len(self.rows) < _MOST_ROWS:
            self.rows.append((plain(trouble.source), plain(trouble.words)))

    def lines(self, most: int) -> Iterator[str]:
        shown = self.rows[:most]
        width = min(_WIDEST, max(len(source) for source, _ in shown))
        yield from (f"    {source:<{width}}  {words}".rstrip() for source, words in shown)
        if self.count > len(shown):
            yield f"    ... and {self.count - len(shown):,} more"


@define
class Troubles:
    """All of a job.

    Attributes:
        count: How many files.
        exits: The statuses that each of them alone would mean.
        last: The line of the last one.
        may_pass: Whether something was tried, so that another try may go well.
    """

    count: int = 0
    exits: set[Exit] = field(factory=set[Exit])
    last: str = ""
    may_pass: bool = False
    _groups: dict[str, _Group] = field(factory=dict[str, _Group])

    def add(self, trouble: Trouble) -> None:
        """Take in one more."""
        self.count += 1
        self.exits.add(trouble.exit)
        self.last = trouble.line
        self.may_pass |= trouble.json["outcome"] == "failed"
        self._groups.setdefault(str(trouble.remedy), _Group()).add(trouble)

    def table(self, of: int) -> Iterator[str]:
        """Yield the lines of the table, rows grouped by remedy, not too many in all; ``of`` so many files."""
        yield f"{files(self.count)} of {of:,} failed:"
        most = max(1, _MOST_ROWS // max(1, len(self._groups)))
        for remedy, group in self._groups.items():
            yield f"  {remedy}"
            yield from group.lines(most)


# ---- What became of a file, as a result: for programs, for pipes, and for tables. Pure, but for a file's size on disk.

Outcome: TypeAlias = Uploaded | Downloaded | Deleted | Skipped | Refused | Failed | NotTried
"""What became of one file of a job."""


def row_of(outcome: Uploaded | Downloaded | Deleted) -> Row:
    """Return what went well as a row."""
    match outcome:
        case Uploaded(source=source, file=file):
            return short_row(file, outcome="uploaded", source=source.path)
        case Downloaded(file=file, path=path):
            return _downloaded(file, path)
        case Deleted(file_id=file_id):
            told = {"outcome": "deleted", "id": file_id, "deleted": True}
            return Row(json=told, plain=plain(file_id), cells={"deleted": plain(file_id)})


def _downloaded(file: File, path: Path) -> Row:
    cells = {"id": plain(file.id), "size": size(file.size_bytes), "path": plain(str(path))}
    told = {"outcome": "downloaded", "id": file.id, "path": str(path), "size_bytes": file.size_bytes}
    return Row(json=told | {"filename": file.filename}, plain=cells["path"], cells=cells)


def skipped_row(outcome: Skipped) -> Row:
    """Return what needed no doing: people get its number only, a pipe the id of a file that is stored."""
    source = outcome.source
    told = {"outcome": "skipped", "reason": outcome.reason, "id": outcome.file_id, "source": key(source)}
    if not isinstance(source, str):
        told["filename"] = source.filename
    return Row(json=told, plain=plain(outcome.file_id) if isinstance(source, LocalFile) else "", cells={})


def known_as(outcome: Outcome) -> LocalFile | str:
    """Return what the gauge knows a file as."""
    match outcome:
        case Downloaded(file=file) | Skipped(source=File() as file) | Failed(source=File() as file):
            return file.id
        case Deleted(file_id=file_id):
            return file_id
        case Uploaded() | Refused() | Skipped() | Failed() | NotTried():
            return outcome.source if not isinstance(outcome.source, File) else outcome.source.id


# ---- A few things one after the other: failures are told and counted, and do not stop the rest.

T = TypeVar("T")


@define
class Tally:
    """How it goes."""

    _output: Output
    done: int = 0
    failed: int = 0
    _exits: set[Exit] = field(factory=set[Exit])

    async def attempt(self, source: str, work: Awaitable[T]) -> T | None:
        """Do one part and return its result, or None if it failed.

        Raises:
            AuthenticationError, PermissionDeniedError: The key was refused, as it would be for
                all others.
            BrokenPipeError: Nobody reads the results any more.
        """
        try:
            result = await work
        except BrokenPipeError:
            raise  # it is about stdout, not about this part
        except EXPECTED as error:
            self._fail(error, source)
            return None
        self.done += 1
        return result

    def _fail(self, error: Exception, source: str) -> None:
        failure = failure_of(error, source)
        if failure.is_final:
            raise error
        self.failed += 1
        self._exits.add(failure.exit)
        self._output.complain(failure)

    @property
    def exit(self) -> Exit:
        """The status: of the only thing there was to do, of one in doubt, or that some of several failed."""
        return exit_among(self._exits, self.failed + self.done)


# ---- A job over many files as its user sees it: results as they come, a bar, a summary, a table of what failed.

if TYPE_CHECKING:

    class Outcomes(Protocol):
        """What ``uploading``, ``downloading`` and ``deleting`` return."""

        async def __aenter__(self) -> AsyncIterator[Outcome]: ...

        async def __aexit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
        ) -> None: ...


_JOB_MOST_ROWS = 200


@define(kw_only=True)
class Job:
    """One job.

    Attributes:
        output: Where it speaks.
        gauge: How far it is.
        past: What happened to a file that went well: ``uploaded``.
        already: What was so before: ``already stored``.
        moves: Whether bytes are moved.
        again: What to say if it did not come to its end, or not for all files; None for nothing.
        stopped: What to say instead if it was interrupted; None for the same.
    """

    output: Output
    gauge: Gauge
    past: str
    already: str = "already there"
    moves: bool = True
    again: str | None = None
    stopped: str | None = None
    _twice: int = 0
    _troubles: Troubles = field(factory=Troubles)
    _rows: Rows = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rows = Rows(self.output, most=_JOB_MOST_ROWS)

    @asynccontextmanager
    async def under_way(self, client: AbstractAsyncContextManager[FilesClient]) -> AsyncGenerator[FilesClient]:
        """Connect, and show the job until it ends, however it does."""
        with self._told(), self._rows:
            async with client as files, drawn(self.output, self.gauge):
                yield files

    async def take(self, outcomes: Outcomes) -> None:
        """Take all outcomes of a bulk job."""
        async with outcomes as coming:
            try:
                async for outcome in coming:
                    self.tell(outcome)
            except asyncio.CancelledError:
                self.gauge.cut()
                raise

    def tell(self, outcome: Outcome) -> None:
        """Show what became of a file, and count it.

        Raises:
            Exception: The one about the key, which all other files would meet, too.
        """
        match outcome:
            case NotTried(why=why):
                raise why
            case Failed(error=AuthenticationError() as error):
                raise error
            case Refused(reason="duplicate"):
                self._given_twice(outcome)
            case Failed() | Refused():
                self._failed(outcome)
            case Skipped():
                self._skipped(outcome)
            case _:
                self.gauge.done += 1
                self.show(row_of(outcome))
        self.gauge.settle(known_as(outcome), moved=not isinstance(outcome, Failed | Refused | Skipped))

    def show(self, row: Row) -> None:
        """Show a result."""
        self._rows.add(row)

    def _given_twice(self, outcome: Refused) -> None:
        self._twice += 1
        if self.output.style == "json":
            source = outcome.source
            told = {"outcome": "skipped", "reason": "duplicate", "source": source.path, "filename": source.filename}
            self.output.json(told)

    def _skipped(self, outcome: Skipped) -> None:
        self.gauge.skipped += 1
        row = skipped_row(outcome)
        if self.output.style == "json" or (self.output.style == "plain" and row.plain):
            self.show(row)

    def _failed(self, outcome: Failed | Refused) -> None:
        trouble = trouble_of(outcome)
        if isinstance(outcome, Failed):
            self.output.trace(outcome.error)
        self.gauge.failed += 1
        self._troubles.add(trouble)
        self._tell_at_once(trouble)

    def _tell_at_once(self, trouble: Trouble) -> None:
        if self.output.style == "json":
            self.output.json(trouble.json)
        if self.output.verbose:
            self.output.above(trouble.line)

    @contextmanager
    def _told(self) -> Generator[None]:
        """Tell at the end how it went, also if it was stopped half-way."""
        try:
            yield
        except asyncio.CancelledError:
            advice = self.stopped or self.again
            self.output.parting = f"; {advice}" if advice else ""
            self.sum_up()
            raise
        except Exception:
            self.sum_up()
            raise
        self.sum_up()
        if self._troubles.may_pass and self.again:
            self.output.say(self.again)

    def sum_up(self) -> None:
        """Tell how it went, and what failed."""
        said = [self.gauge.summary(self.past, already=self.already, moves=self.moves)]
        said += [f"{self._twice:,} given twice"] if self._twice else []
        if any(said):
            self.output.say("; ".join(filter(None, said)))
        self.tell_troubles()

    def tell_troubles(self) -> None:
        """Tell what failed; one that is alone needs no table."""
        if self._troubles.count and self.gauge.settled == 1:
            self.output.above(f"openrouter-files: error: {self._troubles.last}")
        elif self._troubles.count:
            for number, line in enumerate(self._troubles.table(self.gauge.settled)):
                self.output.above(line if number else f"openrouter-files: error: {plain(line)}")

    @property
    def exit(self) -> Exit:
        """The status: of the key if it was refused for all, else as ``exit_among`` says."""
        if self._troubles.exits == {Exit.KEY_REFUSED} and not self.gauge.done:
            return Exit.KEY_REFUSED
        return exit_among(self._troubles.exits, self.gauge.settled)


# ---- A job of which only what was stored matters, for the demo.


@define(kw_only=True)
class Kept(Job):
    """A job whose results are kept instead of shown."""

    kept: list[File]

    def tell(self, outcome: Outcome) -> None:
        """Keep what was stored."""
        if isinstance(outcome, Uploaded):
            self.kept.append(outcome.file)
        Job.tell(self, outcome)

    def show(self, row: Row) -> None:
        """Show nothing: the story does."""
