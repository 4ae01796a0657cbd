"""What went wrong in a job, by what to do about it: a table for its end, of which only so much is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from openrouter_files import AmbiguousUploadError, Failed, File, LocalFile, Refused

from .exits import Exit
from .failures import failure_of, message_of
from .remedies import Remedy, of_error, of_refusal
from .wording import files, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

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
