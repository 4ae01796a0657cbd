"""The rate limit on a clock of its own: every limit, every outage, every wrong Retry-After, up to a thousand calls."""

import math

import pytest
from simulated_calls import Server, World

from openrouter_files import RetryPolicy

# More than the ideal, whatever is done: Retry-After is rounded up to whole seconds, once at the least.
ROUNDING = 2.0


def ended(server, calls, policy=None):
    """Let so many calls begin at once; return the world when all have ended."""
    world = World(server, policy or RetryPolicy())
    for _ in range(calls):
        world.begin()
    world.run()
    assert all(call.ended is not None for call in world.calls)
    return world


def took(world):
    return max(call.ended for call in world.calls)


@pytest.mark.parametrize("calls", [1, 2, 5, 30, 200, 1000])
@pytest.mark.parametrize("rate", [0.5, 1, 2, 5, 20, 100, 500])
def test_an_honest_server(rate, calls):
    """All calls succeed in 1.5 times the ideal, and none is refused more than twice."""
    server = Server([(0, rate)])
    world = ended(server, min(calls, int(rate * 600)))
    assert not any(call.error for call in world.calls)
    assert max(call.refused for call in world.calls) <= 2
    assert took(world) <= 1.5 * server.ideal(len(world.calls)) + ROUNDING


@pytest.mark.parametrize("retry_after", [None, 0.0, 0.1, 1.0])
@pytest.mark.parametrize("rate", [0.5, 1, 2, 5, 20, 100, 500])
def test_a_retry_after_that_is_absent_or_wrong(rate, retry_after):
    """None, a date in the past, too short, or the same for all: all calls succeed in 1.5 times the ideal."""
    server = Server([(0, rate)], retry_after)
    world = ended(server, min(1000, int(rate * 400)))
    assert not any(call.error for call in world.calls)
    assert took(world) <= 1.5 * server.ideal(len(world.calls)) + ROUNDING


@pytest.mark.parametrize("rate", [0.5, 5, 100, 500])
def test_a_retry_after_that_is_too_long(rate):
    """A server that asks for ten seconds each time gets them, but no more than for every fifth part of the time."""
    server = Server([(0, rate)], 10.0)
    world = ended(server, min(1000, int(rate * 200)))
    assert not any(call.error for call in world.calls)
    assert took(world) <= 2.5 * server.ideal(len(world.calls)) + 6 * 10


@pytest.mark.parametrize(
    "rates",
    [
        [(0, 0.5), (60, 500)],
        [(0, 5), (10, 50), (20, 5)],
        [(0, 50), (5, 2), (30, 100)],
        [(0, 0.5), (20, 5), (40, 0.5), (80, 50)],
        [(0, 100), (4, 10), (20, 1), (40, 200)],
    ],
)
@pytest.mark.parametrize("calls", [30, 200, 1000])
def test_a_limit_that_changes(rates, calls):
    """The rate follows the limit down and, within seconds, up again."""
    server = Server(rates)
    world = ended(server, calls)
    assert not any(call.error for call in world.calls)
    assert max(call.refused for call in world.calls) <= 2
    assert took(world) <= 1.5 * server.ideal(calls) + ROUNDING


@pytest.mark.parametrize("retry_after", ["honest", None, 0.0, 0.1, 1.0])
@pytest.mark.parametrize("outage", [1, 10, 60, 600])
@pytest.mark.parametrize("attempts", [1, 3, 5])
def test_an_outage(outage, retry_after, attempts):
    """Calls end soon, well or refused; a short outage is survived, a long one costs the server few requests."""
    server = Server([(0, 20), (5, 0), (5 + outage, 20)], retry_after)
    world = ended(server, 200, RetryPolicy(attempts=attempts))
    refused = [call for call in world.calls if call.error]
    well = max(server.ideal(200), outage + 5)
    assert all(call.ended < 45 for call in refused)
    assert all(call.refused <= attempts for call in world.calls)
    assert took(world) <= max(1.5 * well, 45)
    assert sum(call.sent for call in world.calls) <= 200 + 200 + 60  # all, the first crowd again, and the probes
    if outage == 1 and attempts == 5:
        assert not refused


@pytest.mark.parametrize("retry_after", ["honest", None, 0.0, 1.0])
def test_all_is_well_again_seconds_after_an_outage(retry_after):
    """However long the outage was, calls that come after it take at most seconds longer than the server needs."""
    world = World(Server([(0, 100), (2, 0), (602, 100)], retry_after))
    for number in range(700):
        world.begin(float(number))
    for _ in range(1000):
        world.begin(650.0)
    world.run()
    late = [call for call in world.calls if 640 <= call.began <= 650]
    assert not any(call.error for call in late)
    assert max(call.ended for call in late) < 650 + 1.5 * 10 + ROUNDING


@pytest.mark.parametrize("deadline", [0.5, 3, 20])
def test_no_call_outlives_its_deadline(deadline):
    """Against one call in two seconds, what cannot be done in time ends with a 429 at the deadline at the latest."""
    world = ended(Server([(0, 0.5)], retry_after=1.0), 100, RetryPolicy(deadline=deadline, attempts=50))
    assert max(call.ended for call in world.calls) <= deadline + 0.05
    assert sum(call.error is None for call in world.calls) >= deadline * 0.5 * 0.5


def test_a_pause_beyond_the_most_is_not_waited_for():
    """A server that asks for 31 seconds ends every call at once."""
    world = ended(Server([(0, 5)], retry_after=31.0), 100)
    assert sum(call.error is None for call in world.calls) == 5
    assert took(world) < 1


@pytest.mark.parametrize("workers", [4, 16, 64])
def test_a_refusal_now_and_then(workers):
    """Where one request in a hundred is refused for 50 ms, busy callers do at least 0.8 of what they would do else."""

    def done(share):
        world = World(Server([(0, math.inf)], 0.05, burst=1e9, now_and_then=share))
        world.after = lambda _: world.begin(world.now)
        for _ in range(workers):
            world.begin()
        world.run(until=20.0)
        return sum(call.ended is not None and call.error is None for call in world.calls)

    assert done(0.01) >= 0.8 * done(0)
