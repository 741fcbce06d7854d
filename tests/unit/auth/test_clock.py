"""Cognito's clock, by the Date of its responses."""

import time
from email.utils import formatdate
from typing import Any

import pytest

from jobtracker.auth.clock import CognitoClock


def response(offset: float) -> dict[str, Any]:
    date = formatdate(time.time() + offset, usegmt=True)
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


def read(clock: CognitoClock, offset: float, duration: float = 0.0) -> None:
    clock.read(response(offset), time.time() - duration)


def offsets(clock: CognitoClock) -> tuple[float, float]:
    """The bounds of the seconds by which Cognito's clock is ahead."""
    now = time.time()
    return clock.earliest() - now, clock.latest() - now


@pytest.mark.parametrize("offset", [30, 300, -30, -3600])
def test_clock_that_differs_is_cognitos_and_logged_once(
    offset: int, caplog: pytest.LogCaptureFixture
):
    clock = CognitoClock()
    for _ in range(3):
        read(clock, offset)
        clock.warn(offset)
        assert offsets(clock) == pytest.approx((offset - 1, offset + 1), abs=1.5)
    (message,) = caplog.messages
    assert ("behind" in message) == (offset > 0)
    assert "NTP" in message


@pytest.mark.parametrize("offset", [3, -3])
def test_small_difference_is_known_but_not_logged(offset: int, caplog: pytest.LogCaptureFixture):
    clock = CognitoClock()
    read(clock, offset)
    earliest, latest = offsets(clock)
    assert earliest - 0.1 <= offset <= latest + 0.1
    assert latest - earliest < 1.5
    assert not caplog.records


def test_bounds_are_as_far_apart_as_the_request_took_time():
    clock = CognitoClock()
    read(clock, -60, duration=2)
    earliest, latest = offsets(clock)
    assert latest - earliest == pytest.approx(3, abs=0.2)


def test_late_response_is_no_difference(caplog: pytest.LogCaptureFixture):
    clock = CognitoClock()
    read(clock, -20, duration=30)
    assert offsets(clock) == pytest.approx((0, 0), abs=0.1)
    assert not caplog.records


def test_clock_that_is_corrected_is_this_machines_again():
    clock = CognitoClock()
    read(clock, 60)
    read(clock, 0)
    assert offsets(clock) == pytest.approx((0, 0), abs=0.1)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"ResponseMetadata": {"HTTPHeaders": {"date": "yesterday"}}},
        {"ResponseMetadata": {"HTTPHeaders": {"date": None}}},
    ],
)
def test_response_without_a_date_changes_nothing(
    answer: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    clock = CognitoClock()
    clock.read(answer, time.time())
    assert offsets(clock) == pytest.approx((0, 0), abs=0.1)
    assert not caplog.records
