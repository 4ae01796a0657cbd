"""The engine of every job, without a server: items in, a bounded number of them at work, outcomes out."""

import asyncio
import gc
import tracemalloc
from contextlib import asynccontextmanager, nullcontext
from itertools import count

import pytest

from openrouter_files import Failed, NotTried, Refused, Skipped, Statistics
from openrouter_files.bulk.engine import Outcomes, Pace, Ready, Seen, taken
from openrouter_files.bulk.outcomes import LocalFile, report_of

SOURCE = LocalFile("/a", "a")


class Job:
    """What a job consists of, and a record of what it did."""

    def __init__(self, items, *, concurrency=3, seconds=0.0, opening=None, closing=None):
        self.given, self.items, self.seconds = 0, items, seconds
        self.opening, self.closing = opening, closing
        self.running = self.most_running = self.finished = self.cancelled = 0
        self.is_open, self.is_read = False, None
        self.pace = Pace(concurrency)
        self.outcomes = Outcomes(self.read, self.work, self.pace, statistics=Statistics, around=self.around())

    async def read(self):
        self.is_read = True
        try:
            for item in self.items:
                self.given += 1
                yield item
        finally:
            self.is_read = False

    async def work(self, item):
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            await asyncio.sleep(self.seconds)
            if isinstance(item, Exception):
                raise item
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)  # an end takes its time
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        self.finished += 1
        return item

    @asynccontextmanager
    async def around(self):
        if self.opening is not None:
            raise self.opening
        self.is_open = True
        try:
            yield
        finally:
            assert self.running == 0
            self.is_open = False
            if self.closing is not None:
                raise self.closing

    def is_gone(self):
        """Whether nothing of it is left."""
        return asyncio.all_tasks() == {asyncio.current_task()} and not (self.running or self.is_open or self.is_read)


async def test_every_item_has_its_outcome():
    """Each item is worked on once; when all are done, the iteration ends, and ends again if it is asked again."""
    job = Job(range(100))
    async with job.outcomes as outcomes:
        assert sorted([outcome async for outcome in outcomes]) == [*range(100)]
        assert [outcome async for outcome in outcomes] == []
    assert job.is_gone()


@pytest.mark.parametrize("concurrency", [1, 2, 7])
async def test_no_more_run_than_may(concurrency):
    """As many as allowed run at once, never more."""
    job = Job(range(40), concurrency=concurrency, seconds=0.002)
    async with job.outcomes as outcomes:
        async for _ in outcomes:
            pass
    assert job.most_running == concurrency


async def test_what_is_known_needs_no_place():
    """Outcomes that need no work come although every place is taken."""
    job = Job([Ready("known"), 1, Ready("known, too")], concurrency=1, seconds=0.2)
    async with job.outcomes as outcomes:
        assert [outcome async for outcome in outcomes] == ["known", "known, too", 1]


async def test_nobody_takes_outcomes_nothing_goes_on():
    """A place is free again when its outcome is taken: who is slow slows the job, and little is read ahead."""
    job = Job(count(), concurrency=4)
    async with job.outcomes as outcomes:
        for taken_so_far in range(20):
            await asyncio.sleep(0.005)
            assert job.finished == taken_so_far + 4
            assert job.given == taken_so_far + 5
            await anext(outcomes)
    assert job.is_gone()


async def test_ready_outcomes_are_not_hoarded():
    """What needs no work is not read ahead without end either."""
    job = Job(Ready(n) for n in count())
    async with job.outcomes as outcomes:
        assert await anext(outcomes) == 0
        await asyncio.sleep(0.1)
        assert job.given < 1100


class LeftError(Exception):
    """Why a context was left."""


def broken(amount):
    yield from range(amount)
    raise LeftError("no more")


async def consume(job, got=None):
    """Run a job to its end."""
    async with job.outcomes as outcomes:
        async for outcome in outcomes:
            if got is not None:
                got.append(outcome)


async def break_off(job, error=None):
    async with job.outcomes as outcomes:
        async for _ in outcomes:
            if error is not None:
                raise error
            break


async def leave_by_error(job):
    with pytest.raises(LeftError):
        await break_off(job, LeftError())


async def leave_at_once(job):
    async with job.outcomes:
        pass


async def leave_by_timeout(job):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(consume(job), 0.05)


async def leave_by_cancellation(job):
    task = asyncio.create_task(consume(job))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_by_two_cancellations(job):
    task = asyncio.create_task(consume(job))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.sleep(0.003)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("known", [0, 5000])
@pytest.mark.parametrize(
    "leave",
    [
        break_off,
        leave_by_error,
        leave_at_once,
        leave_by_timeout,
        leave_by_cancellation,
        leave_by_two_cancellations,
    ],
)
async def test_leaving_early_leaves_nothing(leave, known):
    """However the context is left: no task runs, the items are let go, and what is around is closed after that."""
    job = Job([0, *[Ready(n) for n in range(known)], *range(500)], seconds=0.02)
    await leave(job)
    assert job.is_gone()
    if leave is not leave_at_once:
        assert job.finished < 500


async def test_who_still_asks_is_told_the_end():
    """After the context was left there are no more outcomes; a task that was waiting for one learns it, too."""
    job = Job(range(10), seconds=5)
    async with job.outcomes as outcomes:
        waiting = asyncio.create_task(anext(outcomes, "none"))
        await asyncio.sleep(0.01)
    assert await asyncio.wait_for(waiting, 1) == "none"
    assert await asyncio.wait_for(anext(outcomes, "none"), 1) == "none"


async def test_many_may_take_from_one_job():
    """Each outcome goes to one of those who iterate; all of them come to the end."""
    job = Job(range(50), seconds=0.001)

    async def take():
        return [outcome async for outcome in outcomes]

    async with job.outcomes as outcomes:
        shares = await asyncio.gather(*(take() for _ in range(3)))
    assert sorted(n for share in shares for n in share) == [*range(50)]


async def test_a_job_has_to_begin():
    """An iteration outside the context is a mistake that is told at once."""
    with pytest.raises(RuntimeError, match="async with"):
        await anext(Job([1]).outcomes)


async def test_a_job_runs_once():
    """A second run of one job is a mistake; nothing is taken for it."""
    job = Job([1])
    async with job.outcomes:
        pass
    with pytest.raises(RuntimeError, match="runs once"):
        async with job.outcomes:
            pass


async def test_what_items_raise_comes_last():
    """All that was given before has its outcome, then the error comes through."""
    job, got = Job(broken(10), seconds=0.01), []
    with pytest.raises(LeftError, match="no more"):
        await consume(job, got)
    assert sorted(got) == [*range(10)]
    assert job.is_gone()


async def test_what_work_raises_is_not_lost():
    """Work turns failures into outcomes; what it raises all the same is a mistake, and ends the iteration."""
    job = Job([1, 2, LeftError("a mistake"), 3], concurrency=1)
    with pytest.raises(LeftError, match="a mistake"):
        await consume(job)
    assert job.is_gone()


async def test_what_is_around_may_fail():
    """An opening that fails begins nothing; a closing that fails is told when nothing runs any more."""
    job = Job([1], opening=LeftError("shut"))
    with pytest.raises(LeftError, match="shut"):
        async with job.outcomes:
            pass
    assert job.is_read is None
    job = Job(count(), closing=LeftError("stuck"))
    with pytest.raises(LeftError, match="stuck"):
        async with job.outcomes:
            pass
    assert job.is_gone()


async def test_nothing_is_yielded_inside_a_task_group():
    """A timeout around one step of the iteration ends that step only; the job goes on."""
    job = Job(range(5), concurrency=1, seconds=0.1)
    async with job.outcomes as outcomes:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(outcomes), 0.02)
        assert [outcome async for outcome in outcomes] == [*range(5)]
    assert job.cancelled == 0


# -- reports ---------------------------------------------------------------------------------------

PROBLEMS = [
    Refused(source=SOURCE, reason="empty", detail="the file is empty"),
    Failed(source=SOURCE, error=LeftError()),
    NotTried(source=SOURCE, why=LeftError()),
]
SKIPPED = Skipped(source=SOURCE, reason="done", file_id="file_1")


@pytest.mark.parametrize(("keep", "skipped"), [("all", (SKIPPED,)), ("problems", ())])
async def test_a_report_keeps_what_it_is_told_to(keep, skipped):
    """Problems are always kept; everything is told to ``on_outcome``."""
    told = []
    report = await report_of(Job([SKIPPED, *PROBLEMS]).outcomes, told.append, keep=keep)
    assert sorted(map(repr, told)) == sorted(map(repr, [SKIPPED, *PROBLEMS]))
    assert (report.refused, report.failed, report.not_tried) == tuple((one,) for one in PROBLEMS)
    assert report.skipped == skipped
    assert not report.ok


@pytest.mark.parametrize(("outcome", "ok"), [(SKIPPED, True), *((problem, False) for problem in PROBLEMS)])
async def test_ok_means_that_nothing_is_missing(outcome, ok):
    """One problem is enough to be not ok."""
    assert (await report_of(Job([outcome]).outcomes, None, keep="all")).ok is ok


async def test_what_on_outcome_raises_ends_the_job():
    """A mistake of the caller's comes through, and nothing is left."""
    job = Job(SKIPPED for _ in count())

    def tell(outcome):
        raise LeftError("no")

    with pytest.raises(LeftError, match="no"):
        await report_of(job.outcomes, tell, keep="all")
    assert job.is_gone()


async def test_memory_does_not_grow_with_the_number_of_files():
    """20,000 items pass through in less than a megabyte, if only problems are kept."""
    job = Job(LocalFile(f"/{n}", f"{n}") for n in range(20_000))

    async def work(source):
        return Skipped(source=source, reason="done", file_id=source.filename)

    outcomes = Outcomes(job.read, work, Pace(32), statistics=Statistics, around=nullcontext())
    gc.collect()
    tracemalloc.start()
    try:
        report = await report_of(outcomes, None, keep="problems")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (job.given, report.skipped, report.ok) == (20_000, (), True)
    assert peak < 1_000_000


# -- items -----------------------------------------------------------------------------------------


async def later(*items):
    for item in items:
        await asyncio.sleep(0)
        yield item


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], []),
        ([1], [1]),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (range(200), [*range(200)]),
        (iter("abc"), ["a", "b", "c"]),
        (dict.fromkeys("xy"), ["x", "y"]),
        (later(1, 2, 3), [1, 2, 3]),
    ],
)
async def test_items_of_any_kind(items, expected):
    """Lists, sets, iterators, generators and async ones give what they hold."""
    assert [item async for item in taken(items)] == expected


@pytest.mark.parametrize("amount", [0, 1, 63, 64, 65, 200])
async def test_what_an_iterable_raises_comes_after_what_it_gave(amount):
    """However the items are taken, none that came before the error is lost."""
    items = taken(broken(amount))
    assert [await anext(items) for _ in range(amount)] == [*range(amount)]
    with pytest.raises(LeftError, match="no more"):
        await anext(items)


async def test_items_are_taken_as_needed():
    """An endless iterable is fine: no more than a handful is read ahead."""
    numbers = count()
    items = taken(numbers)
    for _ in range(100):
        await anext(items)
    await items.aclose()
    assert next(numbers) <= 200


@pytest.mark.parametrize("wrong", ["or_file_1", 7, None])
async def test_what_holds_no_items_is_a_mistake(wrong):
    """One id is not an iterable of ids, though Python would take it for its letters."""
    with pytest.raises(TypeError):
        await anext(taken(wrong))


def test_a_hundred_thousand_files_are_remembered_in_little():
    """Each of 100,000 files is told from all others and known again, in less than 40 bytes of memory each."""
    files = [LocalFile(f"/data/{number}.txt", f"{number}.txt") for number in range(100_000)]
    tracemalloc.start()
    try:
        seen = Seen()
        assert not any(seen.again(file) for file in files)
        assert tracemalloc.get_traced_memory()[0] < 4_000_000
    finally:
        tracemalloc.stop()
    assert all(seen.again(file) for file in files[::97])
    assert not seen.again(LocalFile("/data/1.txt", "other.txt"))
