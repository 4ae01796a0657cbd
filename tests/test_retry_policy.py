"""When a call is tried again and after how long, with real delays, short ones."""

import asyncio
import logging
import math
import time
from itertools import pairwise

import pytest

from openrouter_files import NO_RETRIES, Options, RetryPolicy
from openrouter_files.errors import APIError, FilesError, InvalidResponseError, SourceError, TransportError
from openrouter_files.protocol import requests as operations
from openrouter_files.transport.retry import failure, repeat, worth_repeating

AT_ONCE = RetryPolicy(first_delay=0, max_delay=1)
LIST = operations.list_files(Options()).request
DELETE = operations.delete_file(Options(), "x").request
UPLOAD = operations.upload_file(Options()).request


def busy(retry_after=None):
    return APIError("busy", status=503, retry_after=retry_after)


class Attempts:
    """Fails with each of the errors in turn, then succeeds; remembers when it was tried."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.times = []
        self.untils = []

    async def __call__(self, caller):
        self.untils.append(caller.until)
        self.times.append(time.monotonic())
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    @property
    def waits(self):
        return [later - sooner for sooner, later in pairwise(self.times)]


async def tried(attempts, policy=AT_ONCE, *, worth=lambda _: True, after=None):
    return await repeat(attempts, policy, worth=worth, what="GET /files", after=after)


@pytest.mark.parametrize("failures", [0, 1, 2, 4])
async def test_attempts_until_one_sticks(failures):
    """The result of the first that succeeds; none is made afterwards."""
    attempts = Attempts(*(busy() for _ in range(failures)))
    assert await tried(attempts) == "done"
    assert len(attempts.times) == failures + 1


@pytest.mark.parametrize("most", [1, 2, 5, 70])
async def test_attempts_are_bounded(most):
    """The last error comes through as it is, and says how often it was tried."""
    errors = [busy() for _ in range(most + 1)]
    attempts = Attempts(*errors)
    with pytest.raises(APIError) as caught:
        await tried(attempts, RetryPolicy(attempts=most, first_delay=0))
    assert caught.value is errors[most - 1]
    assert caught.value.attempts == len(attempts.times) == most
    notes = getattr(caught.value, "__notes__", [])
    assert [n.startswith(f"gave up after {most} attempts in 0.") for n in notes] == [True] * (most > 1)


async def test_one_request_and_its_outcome():
    """NO_RETRIES: the first error is the last."""
    attempts = Attempts(busy(), busy())
    with pytest.raises(APIError):
        await tried(attempts, NO_RETRIES)
    assert len(attempts.times) == 1


async def test_what_is_not_worth_it():
    """It is the caller who knows which error may be answered by another attempt, at each of them."""
    attempts = Attempts(busy(), SourceError("gone"), busy())
    with pytest.raises(SourceError) as caught:
        await tried(attempts, worth=lambda error: isinstance(error, APIError))
    assert caught.value.attempts == len(attempts.times) == 2


@pytest.mark.parametrize("error", [OSError(28, "disk full"), ValueError("x"), KeyError("x"), asyncio.CancelledError()])
@pytest.mark.parametrize("before", [0, 1])
async def test_errors_of_others_come_through(error, before):
    """What this package did not raise on purpose is never repeated."""
    attempts = Attempts(*[busy()] * before, error)
    with pytest.raises(type(error)) as caught:
        await tried(attempts)
    assert caught.value is error
    assert len(attempts.times) == before + 1


async def test_a_call_that_failed_before():
    """An attempt made already counts as one, and its error is judged like any other."""
    attempts = Attempts()
    assert await tried(attempts, RetryPolicy(attempts=2, first_delay=0), after=busy()) == "done"
    first = busy()
    with pytest.raises(APIError) as caught:
        await tried(attempts, NO_RETRIES, after=first)
    assert caught.value is first
    assert len(attempts.times) == 1


async def test_delays_double():
    """Wait n lies between zero and first_delay * 2**n, and no wait beyond max_delay."""
    attempts = Attempts(*(busy() for _ in range(5)))
    await tried(attempts, RetryPolicy(attempts=6, first_delay=0.01, max_delay=0.04))
    for wait, most in zip(attempts.waits, [0.01, 0.02, 0.04, 0.04, 0.04], strict=True):
        assert 0 <= wait < most + 0.1


async def test_delays_differ():
    """Jitter: many calls that failed together do not come back together."""
    calls = [Attempts(busy()) for _ in range(30)]
    await asyncio.gather(*(tried(attempts, RetryPolicy(first_delay=0.1)) for attempts in calls))
    waits = sorted(attempts.waits[0] for attempts in calls)
    assert waits[0] < 0.05 < waits[-1]
    assert len({round(wait, 4) for wait in waits}) > 10


@pytest.mark.parametrize("asked", [0.05, 0.1])
async def test_what_the_server_asks_for_is_the_least(asked):
    """Jitter is added to Retry-After and never cuts it."""
    calls = [Attempts(busy(asked), busy(asked)) for _ in range(10)]
    await asyncio.gather(*(tried(attempts, RetryPolicy(first_delay=0.01, max_delay=asked)) for attempts in calls))
    for attempts in calls:
        assert all(asked <= wait < asked + 0.15 for wait in attempts.waits)


async def test_the_server_is_asked_anew_each_time():
    """Each wait is that of its own error."""
    attempts = Attempts(busy(0.1), busy(), busy(0.05))
    await tried(attempts, RetryPolicy(first_delay=0, max_delay=1))
    assert attempts.waits[0] >= 0.1
    assert attempts.waits[1] < 0.05
    assert attempts.waits[2] >= 0.05


@pytest.mark.parametrize("asked", [1.01, 3600, 10**9])
async def test_a_wait_beyond_the_most_is_raised_at_once(asked):
    """The error says how long; the caller decides."""
    attempts = Attempts(busy(asked))
    with pytest.raises(APIError) as caught:
        await tried(attempts)
    assert caught.value.retry_after == asked
    assert len(attempts.times) == 1


async def test_only_answers_ask_for_a_wait():
    """A broken connection has no Retry-After."""
    attempts = Attempts(TransportError("cut"), TransportError("cut"))
    assert await tried(attempts) == "done"
    assert sum(attempts.waits) < 0.1


async def test_a_deadline_ends_the_waiting():
    """A wait that would end after it is not begun."""
    attempts = Attempts(*(busy(0.06) for _ in range(9)))
    began = time.monotonic()
    with pytest.raises(APIError) as caught:
        await tried(attempts, RetryPolicy(attempts=9, first_delay=0, deadline=0.15))
    assert time.monotonic() - began < 0.15
    assert caught.value.attempts == len(attempts.times) == 3


async def test_attempts_know_the_deadline():
    """Each is told the same moment on the monotonic clock, or that there is none."""
    attempts, began = Attempts(busy(), busy()), time.monotonic()
    await tried(attempts, RetryPolicy(first_delay=0, deadline=5))
    assert len(set(attempts.untils)) == 1
    assert began + 5 <= attempts.untils[0] < began + 6
    attempts = Attempts()
    await tried(attempts)
    assert attempts.untils == [None]


async def test_a_deadline_in_the_past_leaves_one_attempt():
    """The first attempt is always made."""
    attempts = Attempts(busy(0.01), busy())
    with pytest.raises(APIError):
        await tried(attempts, RetryPolicy(first_delay=0, deadline=1e-9))
    assert len(attempts.times) == 1


async def test_a_wait_can_be_cancelled():
    """Cancelling a call that waits ends it at once."""
    attempts = Attempts(busy(60))
    call = asyncio.create_task(tried(attempts, RetryPolicy(max_delay=60)))
    await asyncio.sleep(0.02)
    assert len(attempts.times) == 1
    call.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert time.monotonic() - began < 1


async def test_each_retry_is_a_line_in_the_log(caplog):
    """What, why, when, and which attempt it will be; a call that succeeds at once says nothing."""
    caplog.set_level(logging.INFO, logger="openrouter_files")
    await tried(Attempts())
    assert caplog.messages == []
    await tried(Attempts(busy(), TransportError("cut")))
    assert caplog.messages == [
        "GET /files: 503 busy; trying again in 0.00 s (attempt 2 of 5)",
        "GET /files: cut; trying again in 0.00 s (attempt 3 of 5)",
    ]


async def test_calls_do_not_know_of_each_other():
    """Each call counts its own attempts."""
    policy = RetryPolicy(attempts=3, first_delay=0)
    calls = [Attempts(busy(), busy()) for _ in range(20)]
    assert await asyncio.gather(*(tried(attempts, policy) for attempts in calls)) == ["done"] * 20


def of(status, request=LIST, code=None):
    body = b"" if code is None else b'{"error":{"code":%d,"message":"x"}}' % code
    return failure(request, status, {}, body, bytes)


@pytest.mark.parametrize(
    ("request_", "error", "worth"),
    [
        *((LIST, of(status), True) for status in (408, 429, 500, 502, 503, 504, 524, 529)),
        *((DELETE, of(status, DELETE), True) for status in (408, 429, 500, 502, 503, 504, 524, 529)),
        *((UPLOAD, of(status, UPLOAD), True) for status in (408, 429)),
        *((UPLOAD, of(status, UPLOAD), False) for status in (500, 502, 504, 524, 529)),
        *((LIST, of(status), False) for status in (302, 400, 401, 403, 404, 413, 418, 499, 501, 505)),
        (LIST, of(400, code=503), True),
        (LIST, of(400, code=404), False),
        (UPLOAD, of(400, UPLOAD, code=429), True),
        (UPLOAD, of(400, UPLOAD, code=502), False),
        (LIST, TransportError("cut"), True),
        (UPLOAD, TransportError("refused"), True),
        (LIST, InvalidResponseError(["x @ $"]), False),
        (LIST, SourceError("grew"), False),
        (LIST, FilesError("x"), False),
    ],
)
def test_what_may_be_repeated(request_, error, worth):
    """What has not escaped: declined or transient failures, and of an upload only what cannot have been stored."""
    assert worth_repeating(request_, Options(), error) is worth


def test_a_declined_upload_is_repeated():
    """503 says that nothing was done, so the upload may be sent again."""
    assert worth_repeating(UPLOAD, Options(), of(503, UPLOAD))


def test_an_upload_that_may_have_been_stored():
    """It is repeated only if the caller takes the risk."""
    lost = TransportError("no answer")
    lost.maybe_processed = True
    for ambiguous, worth in [("reconcile", False), ("raise", False), ("repeat", True)]:
        options = Options(retry=RetryPolicy(ambiguous=ambiguous))
        assert worth_repeating(UPLOAD, options, lost) is worth
        assert worth_repeating(UPLOAD, options, of(502, UPLOAD)) is worth
        assert worth_repeating(LIST, options, lost)


@pytest.mark.parametrize("statuses", [(), (404,), (503,)])
def test_the_statuses_are_the_callers(statuses):
    """What is transient can be chosen; broken connections are repeated all the same."""
    options = Options(retry=RetryPolicy(statuses=statuses))
    for status in (404, 429, 503):
        assert worth_repeating(LIST, options, of(status)) is (status in statuses)
    assert worth_repeating(LIST, options, TransportError("cut"))


async def test_delays_stay_finite():
    """After hundreds of attempts the delay is the greatest, not an overflow."""
    attempts = Attempts(*(busy() for _ in range(1_100)))
    policy = RetryPolicy(attempts=1_200, first_delay=1e-300, max_delay=1e-6)
    assert await tried(attempts, policy) == "done"
    assert math.fsum(attempts.waits) < 5
