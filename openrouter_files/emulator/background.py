"""An event loop in a thread of its own, for a server that must not depend on anybody's loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Background:
    """A loop that runs from :meth:`start` to :meth:`stop`, whatever the thread that asks does meanwhile."""

    def __init__(self) -> None:
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, name="emulator", daemon=True)

    def start(self) -> None:
        """Let the loop run."""
        self._thread.start()
        self._loop.result()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done on the loop, and wait for it: blocks the thread that asks."""
        return asyncio.run_coroutine_threadsafe(work, self._loop.result()).result()

    def stop(self) -> None:
        """End the loop, and what is left running on it."""
        loop = self._loop.result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            loop.call_soon(self._loop.set_result, loop)
            loop.run_forever()
