"""The engine of a job: takes items as needed, runs a bounded number of them, hands out outcomes as they come."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from attrs import frozen

from ..waiting import ended

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from .outcome import Statistics
    from .pace import Pace

Item = TypeVar("Item")
Result = TypeVar("Result")


# Outcomes that nobody has taken yet: whoever does not take them gets no more.
_MOST_WAITING = 1024


@frozen
class Ready(Generic[Result]):
    """An item that needs no work: its outcome is known."""

    outcome: Result


@frozen
class _Done(Generic[Result]):
    """An outcome whose place is taken until it is handed out."""

    outcome: Result


@frozen
class _End:
    """Comes after the last outcome, with what the source of items failed with, if it did."""

    error: BaseException | None


class Outcomes(Generic[Item, Result]):
    """A job: an async context manager, and inside it an async iterator of outcomes.

    ::

        async with uploading(files, paths) as outcomes:
            async for outcome in outcomes: ...

    Nothing is yielded inside a task group: leaving the context early, by ``break``, an error or a
    cancellation, ends the running transfers and waits until they are gone.
    """

    def __init__(
        self,
        items: Callable[[], AsyncGenerator[Item | Ready[Result]]],
        work: Callable[[Item], Awaitable[Result]],
        pace: Pace,
        *,
        statistics: Callable[[], Statistics],
        around: AbstractAsyncContextManager[object],
    ) -> None:
        """Made by ``uploading``, ``downloading`` and ``deleting``, not by you."""
        self._items = items
        self._work = work
        self._pace = pace
        self._statistics = statistics
        self._around = around
        self._ready: asyncio.Queue[Ready[Result] | _Done[Result] | _End] = asyncio.Queue(_MOST_WAITING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._feeder: asyncio.Task[None] | None = None

    @property
    def statistics(self) -> Statistics:
        """How the job went so far."""
        return self._statistics()

    async def __aenter__(self) -> Self:
        if self._feeder is not None:
            raise RuntimeError("a job runs once: make another one")
        await self._around.__aenter__()
        self._feeder = asyncio.create_task(self._feed())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stop()
        finally:
            self._say_no_more()
            await self._around.__aexit__(kind, error, trace)

    def __aiter__(self) -> AsyncIterator[Result]:
        """Iterate over the outcomes, in the order in which they come."""
        return self

    async def __anext__(self) -> Result:
        if self._feeder is None:
            raise RuntimeError("the job has not begun: use `async with` first")
        taken = await self._ready.get()
        if isinstance(taken, _End):
            self._ready.put_nowait(taken)  # for whoever asks again
            raise taken.error or StopAsyncIteration
        if isinstance(taken, _Done):
            self._pace.leave()
        return taken.outcome

    async def _feed(self) -> None:
        error: BaseException | None = None
        try:
            async with aclosing(self._items()) as items:
                async for item in items:
                    await self._begin(item)
        except Exception as caught:  # noqa: BLE001  # raised again where the outcomes are taken
            error = caught
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._ready.put(_End(error))

    async def _begin(self, item: Item | Ready[Result]) -> None:
        if isinstance(item, Ready):
            await self._ready.put(cast("Ready[Result]", item))
            return
        await self._pace.enter()
        task = asyncio.create_task(self._run(item))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, item: Item) -> None:
        try:
            await self._ready.put(_Done(await self._work(item)))
        except Exception as error:  # noqa: BLE001  # likewise: a mistake of ours must not be lost
            await self._ready.put(_End(error))

    async def _stop(self) -> None:
        """End everything; a caller who is cancelled waits, too."""
        tasks = {t for t in (self._feeder, *self._tasks) if t is not None}
        for task in tasks:
            task.cancel()
        await ended(*tasks)

    def _say_no_more(self) -> None:
        """Drop the outcomes that nobody took: whoever asks now, or was asking, is told that there are no more."""
        while not self._ready.empty():
            self._ready.get_nowait()
        self._ready.put_nowait(_End(None))
