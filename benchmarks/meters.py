"""What a piece of work costs this process: wall clock, CPU, memory, and how long its loop was not free."""

import asyncio
import contextlib
import gc
import resource
import sys
import time
from pathlib import Path

_TICK = 0.002
_STATUS = Path("/proc/self/status")


def _kib(field):
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def resident():
    """MiB of memory in use now; the peak so far where /proc is missing."""
    return _kib("VmRSS:") / 1024 if _STATUS.exists() else peak()


def peak():
    """MiB of memory in use at the most. /proc first: ru_maxrss begins with what the parent had."""
    if _STATUS.exists():
        return _kib("VmHWM:") / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 / 1024 if sys.platform == "darwin" else most / 1024


class Ticker:
    """A task that wants to run every two milliseconds; ``worst`` is how late it was at the most, in ms."""

    def __init__(self):
        self.worst = 0.0

    async def _run(self):
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self.worst = max(self.worst, (loop.time() - due) * 1000)

    @contextlib.asynccontextmanager
    async def running(self):
        """Tick for as long as the context lasts."""
        task = asyncio.create_task(self._run())
        await asyncio.sleep(0)
        try:
            yield self
        finally:
            await asyncio.sleep(_TICK)
            task.cancel()


def _cpu(whose):
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


async def measured(work, *, children=False):
    """Await ``work()``; return what it cost. ``children`` counts the processes it started instead of this one."""
    whose = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    gc.collect()
    before, cpu, began = resident(), _cpu(whose), time.perf_counter()
    ticker = Ticker()
    async with ticker.running():
        began = time.perf_counter()
        await work()
        wall = time.perf_counter() - began
    cost = {"wall": wall, "cpu": _cpu(whose) - cpu}
    if children:
        return cost | {"rss": resource.getrusage(whose).ru_maxrss / 1024}
    return cost | {"rss": peak(), "rss_before": before, "stall": ticker.worst}
