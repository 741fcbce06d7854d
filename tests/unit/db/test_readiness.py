"""The check of the database for /ready: its time, how results are shared, and the schema."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from pyramid_retry import mark_error_retryable

from jobtracker.db import readiness
from jobtracker.db.checks import Migrations, missing_columns
from jobtracker.db.readiness import DatabaseCheck
from tests.common.running_clock import running_time

MIGRATIONS = Migrations(frozenset({"1", "2"}), frozenset({"2"}))


class Connection:
    """:param answers: revisions of the schema, functions that return one, or errors; the last one
    again and again
    """

    def __init__(self, answers: list[Any], columns: list[str]) -> None:
        self.answers, self.columns, self.closed = answers, columns, 0

    def execute(self, query: str) -> list[tuple[str]]:
        if query != readiness.VERSIONS:
            return [(column,) for column in self.columns]
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer()
        return [(answer,)]

    def close(self) -> None:
        self.closed += 1


def check(*answers: Any, lacking: int = 0) -> tuple[DatabaseCheck, Connection]:
    """:param lacking: how many columns the schema lacks"""
    known = sorted(missing_columns(set()))
    connection = Connection(list(answers), known[lacking:])
    made = DatabaseCheck(lambda: connection)
    made.migrations = MIGRATIONS
    return made, connection


def lost() -> Exception:
    error = psycopg.OperationalError("server closed the connection")
    mark_error_retryable(error)
    return error


@pytest.fixture
def hanging() -> Iterator[tuple[Callable[[], str], threading.Event]]:
    """A function that returns the revision as soon as the event is set."""
    released = threading.Event()

    def wait() -> str:
        assert released.wait(20)
        return "2"

    yield wait, released
    released.set()


@pytest.mark.parametrize(
    ("answers", "missing"),
    [
        (["2"], None),
        (["1"], "schema"),
        (["3"], None),  # newer, with all columns
        ([psycopg.errors.UndefinedTable("")], "schema"),
        ([psycopg.OperationalError("refused")], "database"),
        ([lost(), "2"], None),
        ([lost(), lost()], "database"),
        ([ValueError()], "database"),
    ],
)
def test_problem_is_named(answers: list[Any], missing: str | None):
    made, connection = check(*answers)
    problem = made.problem()
    assert (problem and problem[0]) == missing
    assert connection.closed


def test_newer_schema_without_a_column_is_a_problem():
    made, _connection = check("3", lacking=1)
    assert (made.problem() or ("",))[0] == "schema"


def test_without_migrations_the_columns_are_checked():
    for lacking, missing in ((0, None), (1, "schema")):
        made, _connection = check("1", lacking=lacking)
        made.migrations = None
        problem = made.problem()
        assert (problem and problem[0]) == missing


def test_hanging_database_is_a_problem_after_a_second_for_all_who_wait(
    hanging: tuple[Callable[[], str], threading.Event], caplog: pytest.LogCaptureFixture
):
    wait, released = hanging
    made, connection = check(wait)
    began = running_time()
    with ThreadPoolExecutor(5) as threads:
        problems = list(threads.map(lambda _: made.problem(), range(20)))
    assert running_time() - began < 2 * readiness.SECONDS  # not one after the other
    assert {problem and problem[0] for problem in problems} == {"database"}
    assert caplog.text.count("Not ready") == 1
    released.set()
    deadline = time.monotonic() + 10
    while made.problem() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert connection.closed >= 1
    assert "Ready again" in caplog.text


def test_requests_that_were_queued_meanwhile_share_a_result():
    revisions = ["1", "2"]

    def slow() -> str:
        time.sleep(0.05)
        return revisions.pop()

    made, _connection = check(slow)
    assert made.problem() is None
    assert made.problem(queued_seconds=60) is None
    assert made.problem() is not None


def test_response_after_more_than_a_second_is_no_success(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readiness, "SECONDS", 0.1)

    def slow() -> str:
        time.sleep(0.3)
        return "2"

    made, _connection = check(slow)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:  # while it runs, and after it
        assert made.problem() == readiness.TOO_SLOW
