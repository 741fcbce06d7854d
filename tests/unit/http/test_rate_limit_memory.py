"""The counts in memory: windows, their bound, and the work of a hit."""

import sys
from typing import Any

import limits
import pytest

from jobtracker.http.rate_limits.limiter import hit
from jobtracker.http.rate_limits.memory import MemoryStorage

PER_MINUTE = limits.parse("10/minute")


class Clock:
    """A clock that the test sets, in seconds."""

    now = 6000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(clock: Clock) -> MemoryStorage:
    return MemoryStorage(200_000, clock)


def hits(storage: MemoryStorage, number: int) -> int:
    """How many of so many hits are allowed."""
    return [hit(storage, PER_MINUTE, "ada") for _ in range(number)].count(0)


def test_window_slides(storage: MemoryStorage, clock: Clock):
    clock.now += 50
    assert hits(storage, 12) == 10
    clock.now += 10
    assert hits(storage, 1) == 0
    clock.now += 30  # the previous window has half of its weight
    assert hits(storage, 12) == 5
    clock.now += 120
    assert hits(storage, 12) == 10


@pytest.mark.parametrize("later", [0, 5, 20, 59.5, 61, 80])
def test_the_next_hit_is_allowed_after_the_seconds_of_retry_after(
    storage: MemoryStorage, clock: Clock, later: float
):
    clock.now += 40
    hits(storage, 10)
    clock.now += later
    hits(storage, 10)
    wait = hit(storage, PER_MINUTE, "ada")
    assert 1 <= wait <= 120
    clock.now += wait + 0.01
    assert hit(storage, PER_MINUTE, "ada") == 0


def test_a_hit_that_is_refunded_is_allowed_again(storage: MemoryStorage, clock: Clock):
    assert hits(storage, 10) == 10
    hit(storage, PER_MINUTE, "ada", -1)
    assert hits(storage, 3) == 1
    clock.now += 120
    hit(storage, PER_MINUTE, "ada", -1)  # of a window that is over
    assert hits(storage, 12) == 10


def test_least_recently_used_counts_are_dropped():
    storage = MemoryStorage(1000)
    assert hits(storage, 10) == 10
    for number in range(5000):
        hit(storage, PER_MINUTE, f"user {number}")
        storage.acquire_sliding_window_entry("ada", 10, 60, 0)  # is used
    assert len(storage) == 1000
    assert hits(storage, 1) == 0


def calls_of_a_hit(storage: MemoryStorage, key: str) -> int:
    """The calls of functions, of Python and C, in a hit."""
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        hit(storage, PER_MINUTE, key)
    finally:
        sys.setprofile(None)
    return calls


def test_a_hit_does_the_same_work_at_150_000_keys(storage: MemoryStorage, clock: Clock):
    first = calls_of_a_hit(storage, "0")
    for number in range(150_000):
        hit(storage, PER_MINUTE, f"{number}")
    clock.now += 300  # all have expired
    assert calls_of_a_hit(storage, "0") <= first
    assert calls_of_a_hit(storage, "another") <= first
    assert len(storage) == 150_001
