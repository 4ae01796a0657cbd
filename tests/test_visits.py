"""Small blocking calls share the way to a thread: each gets its own result, soon, whatever the others do."""

import asyncio
import threading
import time

import pytest

from openrouter_files.local.threads import THREADS, short_hop


async def test_each_gets_its_own_result():
    """Of a thousand calls at once, every one gets what it asked for."""
    found = await asyncio.gather(*(short_hop(divmod, number, 7) for number in range(1000)))
    assert found == [divmod(number, 7) for number in range(1000)]


async def test_an_error_is_its_callers_own():
    """One that fails among many fails alone."""
    found = await asyncio.gather(*(short_hop(divmod, 7, number) for number in range(-20, 20)), return_exceptions=True)
    assert [type(outcome) for outcome in found].count(ZeroDivisionError) == 1
    assert sum(isinstance(outcome, tuple) for outcome in found) == 39


async def test_calls_of_one_turn_share_a_visit():
    """What comes up in one turn of the loop is done in one visit of one thread, which is not the loop's."""
    idents = await asyncio.gather(*(short_hop(threading.get_ident) for _ in range(32)))
    assert len(set(idents)) == 1
    assert threading.get_ident() not in idents


async def test_slow_calls_do_not_wait_for_each_other():
    """Once calls turn out to be slow, they no longer share: as many are under way at once as there are threads."""
    together = threading.Barrier(THREADS)
    await asyncio.gather(*(short_hop(time.sleep, 0.02) for _ in range(8)))
    async with asyncio.timeout(20):
        await asyncio.gather(*(short_hop(together.wait, 15) for _ in range(THREADS)))


async def test_the_result_of_who_was_cancelled_is_dropped():
    """Nobody is left to take it, so it is given to whoever tidies up; the others get theirs."""
    go, dropped = threading.Event(), []
    cancelled = asyncio.create_task(short_hop(go.wait, dropped=dropped.append))
    other = asyncio.create_task(short_hop(divmod, 7, 2))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await other == (3, 1)
    assert dropped == [True]


def test_each_loop_has_its_own():
    """One loop after the other may use it."""
    for number in range(3):
        assert asyncio.run(short_hop(divmod, number, 1)) == (number, 0)
