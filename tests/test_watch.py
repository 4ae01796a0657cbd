"""How long silence is borne: one timer for many, each with its own moment."""

import asyncio
import math
import time

import pytest

from openrouter_files.transport.session import Patience, Watch


async def silent(watch, seconds, *, moves=0):
    """Bear silence for some seconds, anew with each sign of life; return how long it took to end."""
    began = time.monotonic()
    try:
        with Patience(watch) as patience:
            for _ in range(moves):
                patience.until(time.monotonic() + seconds)
                await asyncio.sleep(seconds / 2)
            patience.until(time.monotonic() + seconds)
            await asyncio.Event().wait()
    except TimeoutError:
        return time.monotonic() - began


async def test_silence_ends_at_its_moment():
    """Neither before it nor long after."""
    assert 0.1 <= await silent(Watch(), 0.1) < 5


async def test_each_has_its_own_moment():
    """Of many at once, each ends in its turn, whoever set the timer first."""
    watch = Watch()
    lengths = [0.3, 0.1, 0.5, 0.2, 0.1]
    took = await asyncio.gather(*(silent(watch, length) for length in lengths))
    assert all(length <= real for length, real in zip(lengths, took, strict=True))
    assert max(took) < 10
    assert watch.watched == set()


async def test_a_sign_of_life_moves_the_moment():
    """What shows signs of life takes longer than its silence may last."""
    assert await silent(Watch(), 0.2, moves=6) >= 0.2 + 6 * 0.1


async def test_nothing_ends_what_has_no_moment():
    """Without a moment, and after it was taken back, silence is borne."""
    watch = Watch()
    with Patience(watch) as patience:
        patience.until(time.monotonic() + 0.05)
        patience.until(math.inf)
        await asyncio.sleep(0.2)


async def test_what_is_over_is_not_ended():
    """A moment that comes when the work is done disturbs nobody."""
    watch = Watch()
    with Patience(watch) as patience:
        patience.until(time.monotonic() + 0.05)
    patience.until(time.monotonic() + 0.01)  # a writer that goes on after the answer came
    await asyncio.sleep(0.1)


async def test_a_cancellation_stays_one():
    """Who is cancelled from outside sees that, not a timeout."""
    watch = Watch()

    async def waiting():
        with Patience(watch) as patience:
            patience.until(time.monotonic() + 60)
            await asyncio.Event().wait()

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watch.watched == set()
