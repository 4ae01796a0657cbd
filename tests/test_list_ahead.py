"""Pages that are fetched before they are needed: when, and what becomes of those that nobody wants in the end."""

import asyncio
import gc
import time
from contextlib import aclosing

import pytest

from openrouter_files import ServiceUnavailableError
from openrouter_files.emulator import Emulator, Stall, Status

PATIENCE = 5


@pytest.fixture
async def stored(emulator):
    """Eight files: four pages of two."""
    return [(await emulator.put(f"{n}", b"x")).id for n in range(8)]


async def take(listing, count):
    return [(await anext(listing)).id for _ in range(count)]


async def asked(emulator, count):
    """Wait until so many pages have been asked for, and no more."""
    async with asyncio.timeout(PATIENCE):
        while len(emulator.requests) < count:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert len(emulator.requests) == count


def under_way():
    return [task for task in asyncio.all_tasks() if "list_page" in repr(task.get_coro())]


async def test_the_first_page_is_all_that_is_asked_for_by_who_stops_there(files, emulator, stored):
    """However long its files are looked at."""
    async with aclosing(files.list(page_size=2)) as listing:
        assert await take(listing, 2) == stored[:2]
        await asked(emulator, 1)


async def test_from_the_second_page_on_the_next_is_fetched_meanwhile(files, emulator, stored):
    """One page ahead, not more; and none after the last."""
    async with aclosing(files.list(page_size=2)) as listing:
        assert await take(listing, 3) == stored[:3]
        await asked(emulator, 3)
        assert await take(listing, 1) == stored[3:4]
        await asked(emulator, 3)
        assert await take(listing, 1) == stored[4:5]
        await asked(emulator, 4)
        assert [file.id async for file in listing] == stored[5:]
    assert len(emulator.requests) == 4


async def test_a_caller_who_never_pauses_has_the_next_page_fetched_too(client_for):
    """It was asked for before the first file is handed out, not when the caller first waits for something."""
    with Emulator() as emulator:  # in a thread of its own
        for n in range(8):
            await emulator.put(f"{n}", b"x")
        async with aclosing((await client_for(emulator)).list(page_size=2)) as listing:
            await take(listing, 3)
            until = time.monotonic() + PATIENCE
            while len(emulator.requests) < 3 and time.monotonic() < until:
                time.sleep(0.01)  # the caller is busy
            assert len(emulator.requests) == 3


@pytest.mark.parametrize("how", ["closed", "cancelled", "forgotten"])
async def test_a_page_that_nobody_wants_any_more_is_given_up(files, emulator, stored, how):
    """Nothing goes on in the background, and nobody waits for the server."""
    listing = files.list(page_size=2)
    await take(listing, 2)
    emulator.queue("list", Stall(0), Stall(60))
    await take(listing, 1)
    await asked(emulator, 3)
    assert under_way()
    async with asyncio.timeout(PATIENCE):
        if how == "closed":
            await listing.aclose()
            assert not under_way()
        elif how == "forgotten":
            del listing
        else:
            taking = asyncio.create_task(take(listing, 2))
            await asyncio.sleep(0.05)
            taking.cancel()
            await asyncio.wait([taking])
            assert taking.cancelled()
        while under_way():
            await asyncio.sleep(0.01)


async def test_what_is_wrong_with_the_next_page_comes_when_it_is_reached(files, emulator, stored):
    """Not before the files that come before it, and only once."""
    emulator.queue("list", Stall(0), Stall(0), *[Status(503)] * 5)
    async with aclosing(files.list(page_size=2)) as listing:
        assert await take(listing, 3) == stored[:3]
        await asked(emulator, 7)
        assert await take(listing, 1) == stored[3:4]
        with pytest.raises(ServiceUnavailableError):
            await anext(listing)
    assert len(emulator.requests) == 7


async def test_what_is_wrong_with_a_page_that_is_not_reached_is_nobodys_business(files, emulator, stored):
    """Python would say that an exception was never retrieved."""
    said = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    emulator.queue("list", Stall(0), Stall(0), *[Status(503)] * 5)
    async with aclosing(files.list(page_size=2)) as listing:
        assert await take(listing, 3) == stored[:3]
        await asked(emulator, 7)
    del listing
    gc.collect()
    assert said == []
