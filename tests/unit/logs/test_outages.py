"""One line a second of an outage."""

import logging
import os
import time

import pytest

from jobtracker.logs import outages
from jobtracker.logs.outages import log_outage

log = logging.getLogger("jobtracker.test")


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "INTERVAL", 0.3)


def wait_for(caplog: pytest.LogCaptureFixture, lines: int) -> list[logging.LogRecord]:
    deadline = time.monotonic() + 10
    while len(caplog.records) < lines and time.monotonic() < deadline:
        time.sleep(0.01)
    return list(caplog.records)


def test_outage_is_logged_once_and_what_was_left_out_with_the_next_line(
    caplog: pytest.LogCaptureFixture,
):
    for number in range(50):
        log_outage(log, "database", "Database: %d", number)
    assert [each.getMessage() for each in caplog.records] == ["Database: 0"]
    first, second = wait_for(caplog, 2)
    assert (vars(first)["system"], vars(first)["omitted"]) == ("database", 0)
    assert second.getMessage() == "Database: 49 (and 48 more)"
    assert vars(second)["omitted"] == 48
    assert second.levelno == logging.ERROR


def test_outage_of_another_system_is_logged_at_once(caplog: pytest.LogCaptureFixture):
    for system in outages.SYSTEMS:
        log_outage(log, system, system)
    assert [each.getMessage() for each in caplog.records] == list(outages.SYSTEMS)


def test_one_error_is_one_line(caplog: pytest.LogCaptureFixture):
    log_outage(log, "S3", "S3: once")
    time.sleep(0.6)
    assert len(caplog.records) == 1


def test_processes_share_the_second(caplog: pytest.LogCaptureFixture):
    log_outage(log, "Cognito", "of the parent")
    child = os.fork()
    if not child:
        logged = len(caplog.records)
        log_outage(log, "Cognito", "of the child")
        os._exit(len(caplog.records) - logged)
    assert os.waitpid(child, 0)[1] == 0
