"""Many things at once: taken as they come, so many at a time, and counted."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, aclosing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from attrs import define

from .exits import Exit
from .failures import EXPECTED, failure_of
from .transfers import Transfers, transfers
from .wording import files

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable

    from .output import Output

T = TypeVar("T")

# Looking ahead lets a progress bar know the whole of any usual job, at a bounded price.
_AHEAD = 1000


@define
class Tally:
    """How a job of several parts goes: failures are told and counted, and do not stop the rest."""

    _output: Output
    done: int = 0
    failed: int = 0
    _last: Exit = Exit.DONE

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
            self.fail(error, source)
            return None
        self.done += 1
        return result

    def fail(self, error: Exception, source: str) -> None:
        """Tell about a failure and count it; what would happen to all others, too, is raised."""
        failure = failure_of(error, source)
        if failure.is_final:
            raise error
        self.failed += 1
        self._last = failure.exit
        self._output.complain(failure)

    @contextmanager
    def moving(self, verb: str) -> Generator[Transfers]:
        """Count the transfers of the job; tell at its end how it went, also if it was stopped half-way."""
        with ExitStack() as later, transfers(self._output, f"{verb}ing") as moving:
            later.callback(self._sum_up, moving, verb)  # once the bars are gone
            yield moving

    def _sum_up(self, moving: Transfers, verb: str) -> None:
        # A failure has been told already; alone it needs no summary.
        if moving.done or moving.cut_off:
            failed = f"; {files(self.failed)} failed" if self.failed else ""
            self._output.say(moving.summary(f"{verb}ed") + failed)

    @property
    def exit(self) -> Exit:
        """The status of the only thing there was to do, or whether some of several failed."""
        return self._last if self.failed == 0 or self.failed + self.done == 1 else Exit.SOME_FAILED


async def stream(items: Iterable[T]) -> AsyncGenerator[T]:
    """Yield what is there already."""
    for item in items:
        yield item


async def _fill(queue: asyncio.Queue[T | None], items: AsyncGenerator[T], workers: int) -> None:
    async with aclosing(items):
        async for item in items:
            await queue.put(item)
    for _ in range(workers):
        await queue.put(None)


async def _drain(queue: asyncio.Queue[T | None], work: Callable[[T], Awaitable[object]]) -> None:
    while (item := await queue.get()) is not None:
        await work(item)


async def each(items: AsyncGenerator[T], work: Callable[[T], Awaitable[object]], *, concurrency: int) -> None:
    """Work on all items, so many at once; the first exception stops the rest and is raised."""
    queue: asyncio.Queue[T | None] = asyncio.Queue(_AHEAD)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_fill(queue, items, concurrency))
            for _ in range(concurrency):
                group.create_task(_drain(queue, work))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
