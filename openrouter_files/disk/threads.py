"""Blocking calls off the loop, in a few threads of our own; none is ever left running behind a caller.

Why our own: the loop's default executor is the user's, too, and neither should starve the other.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import define

from ..waiting import ended

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

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
