"""A job over many files as its user sees it: results as they come, a bar, a summary, a table of what failed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from attrs import define, field

from openrouter_files import (
    AuthenticationError,
    Failed,
    NotTried,
    Refused,
    Skipped,
)

from .drawing import drawn
from .exits import Exit, exit_among
from .outcomes import known_as, row_of, skipped_row
from .results import Row, Rows
from .troubles import Trouble, Troubles, trouble_of
from .wording import plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Protocol

    from openrouter_files import FilesClient

    from .gauge import Gauge
    from .outcomes import Outcome
    from .output import Output

    class Outcomes(Protocol):
        """What ``uploading``, ``downloading`` and ``deleting`` return."""

        async def __aenter__(self) -> AsyncIterator[Outcome]: ...

        async def __aexit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
        ) -> None: ...


_MOST_ROWS = 200


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
        self._rows = Rows(self.output, most=_MOST_ROWS)

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
