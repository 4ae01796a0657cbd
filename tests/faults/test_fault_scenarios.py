"""The table of fault scenarios: each row happens, over loopback, against real faults."""

import asyncio
import gc
from collections import Counter

import pytest
from fault_table import ROWS
from fault_world import nothing_left, world_of


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """What other tests have left in memory need not be looked at again after each row."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _marked(row):
    marks = [pytest.mark.xfail(strict=True, reason=row.xfail)] if row.xfail else []
    return pytest.param(row, id=row.name, marks=marks)


def _check_error(error, row):
    for name, wanted in row.error.items():
        value = getattr(error, name)
        assert wanted(value) if callable(wanted) else value == wanted, f"{name} is {value!r}"


async def _happen(world):
    row = world.row
    if isinstance(row.how, str):
        await row.call(world)
        return
    with pytest.raises(row.how) as caught:
        await row.call(world)
    assert caught.type is row.how
    _check_error(caught.value, row)


def _check_traces(world):
    row = world.row
    if row.asked is not None:
        asked = [each for each in world.front.seen if each.operation == "download"]
        assert tuple("range" in each.headers for each in asked) == row.asked
    assert {
        "requests": world.requests,
        "stored": len(world.emulator.files()),
        "disk": {name: len(data) for name, data in world.on_disk().items()},
        "unmet": world.front.unmet if world.front else [],
    } == {
        "requests": row.requests,
        "stored": row.stored,
        "disk": {name: len(data) for name, data in row.disk.items()},
        "unmet": [],
    }
    assert world.on_disk() == row.disk


@pytest.mark.parametrize("row", [_marked(row) for row in ROWS])
async def test_a_scenario_ends_as_the_table_says(row, tmp_path):
    """It has the outcome, the requests, the stored copies and the bytes on disk of its row, and leaves nothing."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    async with asyncio.timeout(row.patience), nothing_left(), world_of(row, folder) as world:
        await world.begin()
        await _happen(world)
        _check_traces(world)


def test_the_table_is_large_and_its_names_are_unique():
    """There are at least 100 scenarios, and each has a name of its own."""
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []
    assert len(ROWS) >= 100
