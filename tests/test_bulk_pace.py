"""How many transfers run at once, and how what they do is counted."""

import asyncio

import pytest

from openrouter_files import AttemptEnded, Progress, RateLimitError, RetryScheduled, ServiceUnavailableError, Statistics
from openrouter_files.bulk import engine as pacing
from openrouter_files.bulk.engine import Meter, Pace
from openrouter_files.errors import BadGatewayError, NotFoundError, TransportError, TransportTimeoutError

SLOW_DOWN = RateLimitError("too many", status=429)


def calm(pace, seconds=0.1, *, size=100, times=1):
    for _ in range(times):
        pace.hear(None, seconds, size)


async def span():
    """Let the time pass in which the same trouble counts once."""
    await asyncio.sleep(pacing._SPAN)


@pytest.mark.parametrize("most", [0, -1])
def test_somebody_must_run(most):
    """A concurrency below one is the caller's mistake."""
    with pytest.raises(ValueError, match="concurrency must be at least 1"):
        Pace(most)


@pytest.mark.parametrize("most", [1, 2, 8, 100])
def test_it_starts_with_what_is_allowed(most):
    """Until somebody complains, as many run as the caller allows, and never more."""
    pace = Pace(most)
    calm(pace, times=20)
    assert (pace.places, pace.limit, pace.lowest, pace.highest) == (most, most, most, most)


@pytest.mark.parametrize(
    ("error", "places"),
    [
        (SLOW_DOWN, 4),
        (ServiceUnavailableError("busy", status=503), 4),
        (TransportTimeoutError("silence"), 4),
        (BadGatewayError("broken", status=502), 8),
        (NotFoundError("not there", status=404), 8),
        (TransportError("cut"), 8),
        (None, 8),
    ],
)
def test_what_halves_the_limit(error, places):
    """A server that is overwhelmed is given half; an error of another kind says nothing about the load."""
    pace = Pace(8)
    pace.hear(error, 0.1, 100)
    assert (pace.places, pace.lowest) == (places, places)


async def test_the_same_trouble_counts_once():
    """All that were under way meet the same 429: the limit is halved once in a while, and one is always left."""
    pace = Pace(3)
    for _ in range(10):
        pace.hear(SLOW_DOWN, 0.1, 100)
    assert (pace.limit, pace.places) == (1.5, 1)
    await span()
    pace.hear(SLOW_DOWN, 0.1, 100)
    assert (pace.limit, pace.places, pace.lowest) == (1.0, 1, 1)


def test_successes_raise_it_again():
    """One more place for about as many successes as there are places, up to what the caller allows."""
    pace = Pace(8)
    pace.hear(SLOW_DOWN, 0.1, 100)
    calm(pace, times=5)
    assert pace.places == 5
    calm(pace, times=5)
    assert pace.places == 6
    calm(pace, times=100)
    assert (pace.limit, pace.places, pace.lowest, pace.highest) == (8, 8, 4, 8)


@pytest.mark.parametrize(("seconds", "places"), [(0.1, 10), (0.39, 10), (0.5, 9), (60, 9)])
def test_slow_answers_lower_it(seconds, places):
    """An answer that takes more than four times as long as usual costs a tenth."""
    pace = Pace(10)
    calm(pace, 0.1, times=20)
    calm(pace, seconds)
    assert pace.places == places


def test_transfers_of_another_size_say_nothing():
    """A big file takes longer than a small one: that is no queue."""
    pace = Pace(10)
    calm(pace, 0.1, size=100, times=20)
    calm(pace, 10, size=1_000_000, times=20)
    assert pace.places == 10


async def test_a_server_that_stays_slow_is_the_usual():
    """What is slow for long becomes the measure, in small steps, so the limit rises again."""
    pace = Pace(10)
    calm(pace, 0.1)
    calm(pace, 0.5)
    assert pace.places == 9
    calm(pace, 0.5, times=300)
    assert pace.places == 10


def test_only_the_end_of_an_attempt_is_heard():
    """A retry that is announced is no answer of the server's; the end of an attempt is."""
    pace = Pace(8)
    pace.hear_event(RetryScheduled(call="POST /files", attempt=2, wait=0.1, error=SLOW_DOWN))
    assert pace.places == 8
    pace.hear_event(AttemptEnded(call="POST /files", attempt=1, seconds=0.1, error=SLOW_DOWN))
    assert pace.places == 4


async def test_places_are_taken_and_given_back():
    """Whoever finds no place waits for one."""
    pace = Pace(2)
    await pace.enter()
    await pace.enter()
    waiting = asyncio.create_task(pace.enter())
    await asyncio.sleep(0.01)
    assert (waiting.done(), pace.running) == (False, 2)
    pace.leave()
    await waiting
    assert pace.running == 2


async def test_a_lower_limit_is_kept():
    """After the limit has fallen, a place that is given back may be one too many."""
    pace = Pace(4)
    for _ in range(4):
        await pace.enter()
    pace.hear(SLOW_DOWN, 0.1, 100)
    waiting = asyncio.create_task(pace.enter())
    for _ in range(2):
        pace.leave()
        await asyncio.sleep(0.01)
        assert not waiting.done()
    pace.leave()
    await waiting
    assert pace.running == 2


async def test_a_higher_limit_lets_the_next_in():
    """A success that raises the limit lets one in, though nobody has left."""
    pace = Pace(2)
    pace.hear(SLOW_DOWN, 0.1, 100)
    await pace.enter()
    waiting = asyncio.create_task(pace.enter())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    calm(pace)
    await waiting
    assert pace.running == 2


async def test_who_gives_up_waiting_takes_no_place():
    """A cancelled wait leaves nothing behind."""
    pace = Pace(1)
    await pace.enter()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pace.enter(), 0.01)
    pace.leave()
    assert pace.running == 0
    await pace.enter()


# -- counting --------------------------------------------------------------------------------------


@pytest.fixture
def told():
    return []


@pytest.fixture
def meter(told):
    return Meter(Pace(3), told.append)


def test_two_transfers_add_up(meter, told):
    """Bytes and files are absolute; each word of progress names the file that moved."""
    for size in (100, 50):
        meter.found(size)
    first, second = meter.track("a"), meter.track("b")
    first.progress(Progress(done=40, total=100))
    second.progress(Progress(done=50, total=50))
    assert (told[-1].name, told[-1].name_done, told[-1].name_total) == ("b", 50, 50)
    assert (told[-1].bytes_done, told[-1].bytes_found, told[-1].files, told[-1].found) == (90, 150, 0, 2)
    second.end(50, moved=True)
    first.progress(Progress(done=100, total=100))
    first.end(100, moved=True)
    assert (told[-1].bytes_done, told[-1].bytes_found, told[-1].files, told[-1].found) == (150, 150, 2, 2)
    assert (told[-1].concurrency, told[-1].running) == (3, 0)
    assert meter.statistics().bytes == 150


def test_a_transfer_that_starts_over_goes_back(meter, told):
    """What an attempt that failed had sent does not count."""
    meter.found(100)
    track = meter.track("a")
    for done in (60, 80, 10, 100):
        track.progress(Progress(done=done, total=100))
    track.end(100, moved=True)
    assert [one.bytes_done for one in told] == [60, 80, 10, 100, 100, 100]


def test_a_transfer_that_failed_counts_nothing(meter, told):
    """Its bytes are taken back, and the file has its outcome."""
    meter.found(100)
    track = meter.track("a")
    track.progress(Progress(done=60, total=100))
    track.end(100, moved=False)
    assert (told[-1].bytes_done, told[-1].files) == (0, 1)
    assert meter.statistics().bytes == 0


def test_a_file_that_was_found_stored_counts_whole(meter, told):
    """An upload whose answer was lost ends whole, wherever its progress stood."""
    meter.found(100)
    meter.track("a").end(100, moved=True)
    assert (told[-1].bytes_done, meter.statistics().bytes) == (100, 100)


def test_events_are_counted_and_passed_on():
    """Retries and answers 429 become statistics; whoever listened to the client goes on doing so."""
    heard = []
    meter = Meter(Pace(5), pass_on=heard.append)
    events = [
        AttemptEnded(call="POST /files", attempt=1, seconds=0.1, error=SLOW_DOWN),
        RetryScheduled(call="POST /files", attempt=2, wait=0.1, error=SLOW_DOWN),
        AttemptEnded(call="POST /files", attempt=2, seconds=0.1, error=None),
    ]
    for event in events:
        meter.hear(event)
    assert heard == events
    statistics = meter.statistics()
    assert isinstance(statistics, Statistics)
    assert (statistics.retries, statistics.rate_limited) == (1, 1)
    assert (statistics.lowest_concurrency, statistics.highest_concurrency) == (5, 5)
    assert 0 <= statistics.seconds < 10


def test_nobody_needs_to_be_told():
    """Without a listener, everything is counted all the same."""
    meter = Meter(Pace(1))
    meter.found(None)
    meter.finished("a", 0, moved=False)
    assert meter.statistics().bytes == 0
