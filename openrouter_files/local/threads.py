"""The small executor for disk access, and waiting for what cannot be cancelled."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from attrs import define

# ---- Waiting for the end of something that must end before the one who waits may go.


async def ended(*works: asyncio.Future[Any]) -> None:
    """Wait for the end of some things, whatever their outcome; a cancellation is passed on, but only then.

    It is passed on as it came: asyncio.timeout counts it, and a scope of anyio, which cancels again and again until
    it is left, knows it by its message.
    """
    cancelled: asyncio.CancelledError | None = None
    while running := [work for work in works if not work.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    for work in works:
        if not work.cancelled():
            work.exception()  # seen, so that nobody is told it never was
    if cancelled is not None:
        try:
            raise cancelled
        finally:
            del cancelled  # else it holds this frame, and this frame holds it


# ---- Blocking calls off the loop, in a few threads of our own; none is ever left running behind a caller.
#
# Why our own: the loop's default executor is the user's, too, and neither should starve the other.

T = TypeVar("T")

# Two to four beat the default under load: the loop's thread holds the lock most of the time anyway. With
# two cores, two are 8 % faster than four.
THREADS = max(2, min(4, os.cpu_count() or 2))

_pool: list[ThreadPoolExecutor] = []


def pool() -> ThreadPoolExecutor:
    """Return the threads of this process, started when first needed."""
    if not _pool:
        _pool.append(ThreadPoolExecutor(THREADS, thread_name_prefix="openrouter_files"))
    return _pool[0]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)  # threads do not survive a fork


async def settled(work: Awaitable[T], *, dropped: Callable[[T], object] | None = None) -> T:
    """Await something that must end before its caller may go, even if the caller is cancelled.

    A thread cannot be stopped, and to close a file under one that reads it would be a race.

    Args:
        work: What to wait for; it is never cancelled.
        dropped: Called with the result if the caller was cancelled meanwhile and will not see it.
    """
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await left(future, dropped)
        raise


async def aside(function: Callable[..., T], *args: Any) -> T:
    """Run a blocking call that may never end in a thread of its own, which is left alone if the caller is cancelled.

    Args:
        function: Its first argument is set when nobody waits any more.
        args: The others.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()
    given_up = threading.Event()

    def settle(value: Any, error: BaseException | None) -> None:
        if not result.done():
            result.set_exception(error) if error else result.set_result(value)

    def work() -> None:
        value, error = None, None
        try:
            value = function(given_up, *args)
        except BaseException as raised:  # noqa: BLE001  # it belongs to whoever waits
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=work, daemon=True, name="openrouter_files_aside").start()
    try:
        return await result
    finally:
        given_up.set()


async def left(future: asyncio.Future[T], dropped: Callable[[T], object] | None) -> None:
    """Wait for the end of what nobody wants any more, and drop its result."""
    try:
        await ended(future)
    finally:
        if not future.cancelled() and future.exception() is None and dropped is not None:
            dropped(future.result())


@define(eq=False, repr=False)
class Errand(Generic[T]):
    """One blocking call, and what came of it.

    The way there and back is our own: an executor's future, chained to the loop's and shielded, takes
    four times as many steps.
    """

    function: Callable[..., T]
    args: tuple[Any, ...]
    future: asyncio.Future[T]
    _result: Any = None
    _error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, T]:
        return self.done().__await__()

    def run(self) -> None:
        """Do it; in a thread. What was needed for it is let go of at once: 32 downloads hold 8 MiB less."""
        args, self.args = self.args, ()
        try:
            self._result = self.function(*args)
        except BaseException as error:  # noqa: BLE001  # raised again where it is awaited
            self._error = error

    def deliver(self) -> None:
        """Tell who waits; on the loop."""
        future = self.outcome()
        if self._error is None:
            future.set_result(self._result)
        else:
            future.set_exception(self._error)

    def outcome(self) -> asyncio.Future[T]:
        """Return a future that was not cancelled together with whoever waited: a thread cannot be stopped."""
        if self.future.cancelled():
            self.future = self.future.get_loop().create_future()
        return self.future

    async def done(self, dropped: Callable[[T], object] | None = None) -> T:
        """Wait for its end, as ``settled`` does."""
        try:
            return await self.future
        except asyncio.CancelledError:
            await left(self.outcome(), dropped)
            raise


def _carry_out(loop: asyncio.AbstractEventLoop, errand: Errand[Any]) -> None:
    errand.run()
    with suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(errand.deliver)


def errand(function: Callable[..., T], *args: Any) -> Errand[T]:
    """Have a blocking call done in one of the threads, from now on."""
    loop = asyncio.get_running_loop()
    sent = Errand(function, args, loop.create_future())
    pool().submit(_carry_out, loop, sent)
    return sent


async def hop(function: Callable[..., T], *args: Any, dropped: Callable[[T], object] | None = None) -> T:
    """Run a blocking call in one of the threads; see ``settled``.

    One hop costs 60 to 100 microseconds, so callers put all they can into one.
    """
    return await errand(function, *args).done(dropped)


# ---- Small files are opened many in one visit of a thread: the way there and back costs more than the file.
#
# 2,000 uploads of 4 KiB, 32 at once, each with a hop of its own, spent a quarter of their time on waking
# threads.

# Seconds that a visit should take: long for a thread's wake-up (on a busy machine with a waiting loop, 1 ms is
# not: 2,000 uploads took a fifth longer), short for whoever waits.
_SPELL = 0.004
_MOST = 32


class _Visits:
    """The errands of one loop. A visit does as many as take a few milliseconds; on a slow disk, just one."""

    def __init__(self) -> None:
        self._errands: deque[Errand[Any]] = deque()
        self._visitors = 0
        self._each = _SPELL / _MOST
        self._called = False

    def add(self, function: Callable[..., T], args: tuple[Any, ...]) -> Errand[T]:
        """Have it done, together with what else comes up in this turn of the loop."""
        loop = asyncio.get_running_loop()
        errand = Errand(function, args, loop.create_future())
        self._errands.append(errand)
        if not self._called:
            self._called = True
            loop.call_soon(self._send)
        return errand

    def _send(self) -> None:
        self._called = False
        loop = asyncio.get_running_loop()
        together = max(1, min(_MOST, int(_SPELL / self._each)))
        while self._errands and (not self._visitors or len(self._errands) >= together) and self._visitors < THREADS:
            self._visitors += 1
            some = [self._errands.popleft() for _ in range(min(together, len(self._errands)))]
            pool().submit(self._visit, loop, some)

    def _visit(self, loop: asyncio.AbstractEventLoop, errands: list[Errand[Any]]) -> None:
        began = time.perf_counter()
        for errand in errands:
            errand.run()
        each = (time.perf_counter() - began) / len(errands)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(self._back, errands, each)

    def _back(self, errands: list[Errand[Any]], each: float) -> None:
        self._visitors -= 1
        self._each = (self._each + each) / 2
        for errand in errands:
            errand.deliver()
        self._send()


_visits: WeakKeyDictionary[asyncio.AbstractEventLoop, _Visits] = WeakKeyDictionary()


async def short_hop(function: Callable[..., T], *args: Any, dropped: Callable[[T], object] | None = None) -> T:
    """Like ``threads.hop``, for what takes microseconds: shares the way with others of its kind."""
    loop = asyncio.get_running_loop()
    visits = _visits.get(loop)
    if visits is None:
        for closed in [each for each in _visits.copy() if each.is_closed()]:
            _visits.pop(closed, None)  # what nobody came back for refers to its loop
        visits = _visits[loop] = _Visits()
    return await visits.add(function, args).done(dropped)
