"""Cognito's clock, by the Date of its responses."""

import time
from email.utils import formatdate
from typing import Any

import pytest

from jobtracker.auth.clock import CognitoClock


def response(offset: float) -> dict[str, Any]:
    date = formatdate(time.time() + offset, usegmt=True)
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


@pytest.mark.parametrize("offset", [30, 300, -30, -3600])
def test_clock_that_differs_is_cognitos_and_logged_once(
    offset: int, caplog: pytest.LogCaptureFixture
):
    clock = CognitoClock()
    for _ in range(3):
        clock.read(response(offset))
        clock.warn(offset)
        assert abs(clock.now() - time.time() - offset) < 3
    (message,) = caplog.messages
    assert ("behind" in message) == (offset > 0)
    assert "NTP" in message


def test_clock_that_is_corrected_is_this_machines_again():
    clock = CognitoClock()
    clock.read(response(60))
    clock.read(response(-1))
    assert abs(clock.now() - time.time()) < 0.1


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
    clock.read(answer)
    assert abs(clock.now() - time.time()) < 0.1
    assert not caplog.records


@pytest.mark.parametrize("offset", [0, -3, 3])
def test_small_difference_is_none(offset: int, caplog: pytest.LogCaptureFixture):
    clock = CognitoClock()
    clock.read(response(offset))
    assert abs(clock.now() - time.time()) < 0.1
    assert not caplog.records
