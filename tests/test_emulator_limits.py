"""The token bucket, with a clock of its own."""

import pytest
from attrs import define

from openrouter_files.emulator.app import Bucket, RateLimit


@define
class Clock:
    now: float = 100.0

    def __call__(self):
        return self.now


def test_tokens_come_back_with_time():
    """A second brings `per_second` tokens, and never more than the burst."""
    clock = Clock()
    bucket = Bucket(RateLimit(per_second=2), clock)
    assert [bucket.take() for _ in range(3)] == [None, None, 1]
    clock.now += 0.5
    assert [bucket.take() for _ in range(2)] == [None, 1]
    clock.now += 1000
    assert [bucket.take() for _ in range(3)] == [None, None, 1]


@pytest.mark.parametrize(("limit", "wait"), [(RateLimit(per_second=0.1), 10), (RateLimit(per_second=9, burst=1), 1)])
def test_the_wait_is_the_time_until_a_token_in_whole_seconds(limit, wait):
    """Retry-After is in whole seconds, at least one."""
    bucket = Bucket(limit, Clock())
    assert [bucket.take() for _ in range(2)] == [None, wait]


def test_the_wait_may_be_fixed():
    """A limit may say what it wants to be waited for, even zero."""
    bucket = Bucket(RateLimit(per_second=1, retry_after=0), Clock())
    assert [bucket.take() for _ in range(2)] == [None, 0]


@pytest.mark.parametrize("per_second", [0, -1, float("nan"), float("inf")])
def test_a_rate_is_a_positive_number(per_second):
    """Another is a mistake of the test, told where it is made."""
    with pytest.raises(ValueError, match="per_second"):
        RateLimit(per_second=per_second)


@pytest.mark.parametrize("burst", [0, -1])
def test_a_burst_is_at_least_one_request(burst):
    """With less, no request would ever pass."""
    with pytest.raises(ValueError, match="burst"):
        RateLimit(per_second=1, burst=burst)
