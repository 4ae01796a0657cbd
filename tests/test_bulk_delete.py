"""Deleting many files, each with its outcome."""

import asyncio
from itertools import count

import pytest

from openrouter_files import AuthenticationError, Deleted, NotFoundError, NotTried, delete_many, deleting
from openrouter_files.emulator import Drop, Pass, Stall, Status


@pytest.fixture
async def ids(emulator):
    """Twelve files."""
    return [(await emulator.put(f"{n}.txt", b"x")).id for n in range(12)]


def deletions(emulator):
    return [request for request in emulator.requests if request.operation == "delete"]


async def as_ids(files, ids):
    return ids


async def as_files(files, ids):
    return [file async for file in files.list()]


async def as_listing(files, ids):
    return files.list(page_size=5)


async def as_generator(files, ids):
    return (file_id for file_id in ids)


@pytest.mark.parametrize("doomed", [as_ids, as_files, as_listing, as_generator])
async def test_everything_is_deleted_and_reported(emulator, files, ids, doomed):
    """Ids, Files, a generator, or ``files.list()`` while its files disappear: all are gone, and reported by id."""
    report = await delete_many(files, await doomed(files, ids))
    assert report.ok
    assert emulator.files() == ()
    assert {type(one) for one in report.deleted} == {Deleted}
    assert sorted(one.file_id for one in report.deleted) == sorted(ids)
    assert len(deletions(emulator)) == 12


async def test_both_styles_tell_the_same(files, ids):
    """A callback, a report and an iteration get each outcome once."""
    told = []
    report = await delete_many(files, ids[:6], on_outcome=told.append)
    async with deleting(files, ids[6:]) as outcomes:
        iterated = [outcome async for outcome in outcomes]
    assert tuple(told) == report.deleted
    assert sorted(one.file_id for one in [*told, *iterated]) == sorted(ids)


@pytest.mark.parametrize("missing_ok", [False, True])
async def test_what_is_not_there(files, ids, missing_ok):
    """With ``missing_ok`` it counts as deleted, without it failed; the others go on."""
    report = await delete_many(files, ["or_file_missing", *ids], missing_ok=missing_ok)
    assert len(report.deleted) == (13 if missing_ok else 12)
    assert [type(failed.error) for failed in report.failed] == ([] if missing_ok else [NotFoundError])
    assert report.ok is missing_ok


async def test_failures_are_outcomes(emulator, files, ids):
    """What is refused, and what cannot be an id, fails alone."""
    emulator.queue("delete", Status(400), Pass(), Status(403))
    report = await delete_many(files, [*ids, "", "a/b"], concurrency=1)
    assert len(report.deleted) == 10
    assert [failed.source for failed in report.failed] == [ids[0], ids[2], "", "a/b"]
    assert len(emulator.files()) == 2


async def test_retries_are_the_clients(emulator, files, ids):
    """A deletion whose answer was lost is a deletion; the statistics count what it took."""
    emulator.queue("delete", Status(502, after_work=True), Status(429, retry_after_ms=10), Drop(after_work=True))
    report = await delete_many(files, ids, concurrency=1)
    assert (len(report.deleted), emulator.files()) == (12, ())
    assert report.statistics.retries in {2, 3}  # a kept connection that breaks is replaced below us
    assert report.statistics.rate_limited == 1


async def test_a_refused_key_stops_the_job(emulator, files, ids):
    """After a 401 nothing more is sent; what is left is NotTried, and still there."""
    emulator.queue("delete", Pass(), Status(401))
    report = await delete_many(files, ids, concurrency=1)
    assert (len(report.deleted), len(report.failed), len(report.not_tried)) == (1, 1, 10)
    assert {type(one) for one in report.not_tried} == {NotTried}
    assert isinstance(report.not_tried[0].why, AuthenticationError)
    assert (len(deletions(emulator)), len(emulator.files())) == (2, 11)


async def test_no_more_are_under_way_than_may(emulator, files, ids):
    """At no moment has the server more deletions under way than the caller allows; and it has that many."""
    emulator.queue("delete", *[Stall(0.1)] * 12)
    await delete_many(files, ids, concurrency=4)
    began = [request.at for request in deletions(emulator)]
    assert max(sum(one <= other < one + 0.09 for other in began) for one in began) == 4


async def test_progress_counts_files(files, ids):
    """Each file counts once, and in the end all are done."""
    told = []
    await delete_many(files, ids, on_progress=told.append)
    assert [one.files for one in told] == [*range(1, 13)]
    assert told[-1].found == 12
    assert {one.name for one in told} == {*ids}


async def test_only_problems_are_kept_if_asked_for(files, ids):
    """``keep="problems"`` leaves out what went well."""
    report = await delete_many(files, [*ids, "or_file_missing"], keep="problems")
    assert (report.deleted, len(report.failed)) == ((), 1)


async def test_one_id_is_no_iterable(emulator, files, ids):
    """An id on its own is a mistake, though Python would take it for its letters: nothing is deleted."""
    with pytest.raises(TypeError, match="one id"):
        await delete_many(files, ids[0], missing_ok=True)
    assert emulator.requests == ()


async def test_what_the_iterable_raises_comes_last(emulator, files, ids):
    """What was given before is deleted; then the error comes through."""

    def broken():
        yield from ids
        raise LookupError("no more ids")

    with pytest.raises(LookupError, match="no more ids"):
        await delete_many(files, broken())
    assert emulator.files() == ()


async def test_leaving_early_deletes_no_more(emulator, files, ids):
    """After the context was left nothing is deleted, and little more than was taken is gone."""
    taken = count()
    async with deleting(files, (ids[n % 12] for n in taken), concurrency=2) as outcomes:
        async for _ in outcomes:
            break
    left = len(emulator.files())
    assert left >= 12 - 4
    await asyncio.sleep(0.1)
    assert len(emulator.files()) >= left - 2  # what the server had already
    assert next(taken) <= 130
