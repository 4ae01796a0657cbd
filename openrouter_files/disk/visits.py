"""Small files are opened many in one visit of a thread: the way there and back costs more than the file.

2,000 uploads of 4 KiB, 32 at once, each with a hop of its own, spent a quarter of their time on waking
threads.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from .threads import THREADS, Errand, pool

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

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
