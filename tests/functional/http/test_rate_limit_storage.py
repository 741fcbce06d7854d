"""Counts in PostgreSQL, which processes share, and what happens when it fails."""

import datetime
import functools
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import limits
import pytest
from psycopg import OperationalError
from pyramid.scripting import prepare
from sqlalchemy import Engine, text
from webtest import TestApp

import jobtracker
from jobtracker.db.connections import autocommit
from jobtracker.http.rate_limits import RateLimit, RateLimiter, check_rate_limits
from jobtracker.http.rate_limits.limiter import hit
from jobtracker.http.rate_limits.postgres import PostgresStorage
from jobtracker.sweep import sweep
from tests.common.api import Api, statuses
from tests.common.app import dispose_engines
from tests.common.concurrency import repeat_concurrently

LOGIN = "/auth/cognito/login"
RATE = limits.parse("10/day")

PROCESS = """
import sys, jobtracker, limits
settings = dict(line.split("=", 1) for line in sys.stdin.read().splitlines())
limiter = jobtracker.main({}, **settings).registry["rate_limiter"]
print([limiter.hit(limits.parse("10/day"), "x", "ada") for _ in range(20)].count(0))
"""


@pytest.fixture(autouse=True)
def _no_counts(engine: Engine) -> Iterator[None]:
    yield
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE rate_limit_counts, sign_in_networks"))


@pytest.fixture
def database_settings(committing_app: Any, settings: dict[str, str]) -> dict[str, str]:
    return {**settings, "sqlalchemy.url": committing_app.registry.settings["sqlalchemy.url"]}


@pytest.fixture
def storage(committing_app: Any) -> PostgresStorage:
    return PostgresStorage(functools.partial(autocommit, committing_app.registry))


@pytest.fixture
def counting_app(committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application that commits, with its default storage."""
    registry = committing_app.registry
    limiter = RateLimiter("postgresql://", connect=functools.partial(autocommit, registry))
    monkeypatch.setitem(registry, "rate_limiter", limiter)
    return committing_app


def count_rows(engine: Engine) -> int:
    with engine.begin() as connection:
        return connection.execute(text("SELECT count(*) FROM rate_limit_counts")).scalar_one()


def test_counts_are_in_postgresql_by_default(committing_app: Any):
    assert committing_app.registry.settings["rate_limits.storage"] == "postgresql://"


def test_table_is_unlogged(engine: Engine):
    query = "SELECT relpersistence FROM pg_class WHERE relname = 'rate_limit_counts'"
    with engine.begin() as connection:
        assert connection.execute(text(query)).scalar_one() == "u"


def test_two_processes_share_a_limit(database_settings: dict[str, str]):
    lines = "\n".join(f"{name}={value}" for name, value in database_settings.items())

    def run(_number: int) -> int:
        program = [sys.executable, "-c", PROCESS]
        done = subprocess.run(program, input=lines.encode(), capture_output=True, check=True)  # noqa: S603
        return int(done.stdout)

    assert sum(repeat_concurrently(run, 2)) == 10


def test_two_applications_share_a_limit(
    counting_app: Any, database_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    rates = {"rate_limits.auth_by_address": "10/day"}
    applications = [jobtracker.main({}, **database_settings, **rates) for _ in range(2)]
    try:
        clients = [Api(TestApp(application)) for application in applications]
        answers = [
            clients[number % 2].call(
                "POST", "/auth/cognito/refresh", {"refresh_token": "x"}, status="*"
            )
            for number in range(14)
        ]
    finally:
        for application in applications:
            dispose_engines(application)
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 4


def test_concurrent_hits_do_not_exceed_the_limit(storage: PostgresStorage):
    waits = repeat_concurrently(lambda _number: hit(storage, RATE, "ada"), 16)
    assert waits.count(0) == 10
    assert all(0 < wait <= 2 * 86400 for wait in waits if wait)


def test_a_hit_that_is_refunded_is_allowed_again(storage: PostgresStorage):
    assert hit(storage, RATE, "ada", -1) == 0
    assert [hit(storage, RATE, "ada") for _ in range(11)].count(0) == 10
    hit(storage, RATE, "ada", -1)
    assert [hit(storage, RATE, "ada") for _ in range(3)].count(0) == 1
    storage.clear_sliding_window(RATE.key_for("x"), 86400)


@pytest.mark.parametrize(
    ("windows_ago", "elapsed", "allowed"), [(0, 0, 0), (1, 1, 10), (1, 0.5, 5), (2, 0, 10)]
)
def test_window_slides(
    storage: PostgresStorage, engine: Engine, windows_ago: int, elapsed: float, allowed: int
):
    """The period is chosen so that the given part of the window is over now."""
    with engine.begin() as connection:
        now = float(connection.execute(text("SELECT extract(epoch FROM now())")).scalar_one())
    # Of some hours, so that the share hardly changes while the test runs.
    period = next(
        period for period in range(50_000, 500_000) if abs(now / period % 1 - elapsed) < 0.001
    )
    for _ in range(10):
        storage.acquire_sliding_window_entry("ada", 10, period)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE rate_limit_counts SET window_number = window_number - :ago"),
            {"ago": windows_ago},
        )
    done = [storage.acquire_sliding_window_entry("ada", 10, period) for _ in range(12)]
    assert abs(done.count(True) - allowed) <= 1
    previous, _, current, _ = storage.get_sliding_window("ada", period)
    assert (previous, current > 0) == ((0, True) if windows_ago != 1 else (10, True))


def test_a_request_that_is_rolled_back_counts(
    counting_app: Any, client: Api, job: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(counting_app.registry.settings, "rate_limits.notes_by_user", [RATE])
    with engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE notes ADD CONSTRAINT no CHECK (body <> 'x') NOT VALID")
        )
    try:
        failing = Api(
            TestApp(client.app.app, extra_environ={"paste.throw_errors": ""}), client.token
        )
        failed = [
            failing.call("POST", f"{job}/notes", {"body": "x"}, status="*") for _ in range(12)
        ]
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE notes DROP CONSTRAINT no"))
    assert [answer.status_code for answer in failed] == [500] * 10 + [429] * 2


def test_keys_are_hashes(counting_app: Any, client: Api, engine: Engine):
    client.refused(401, "POST", LOGIN, {"email": "ada@example.com", "password": "Wrong-1"})
    with engine.begin() as connection:
        keys = connection.execute(text("SELECT key FROM rate_limit_counts")).scalars().all()
    # By address, by account and address, and in total by account: each by the minute and the hour.
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}


def test_requests_that_hold_a_connection_each_do_not_wait_for_one_another(
    counting_app: Any, job: str, client: Api, database_settings: dict[str, str]
):
    pools = {"sqlalchemy.pool_size": "1", "sqlalchemy.max_overflow": "1"}
    application = jobtracker.main({}, **database_settings, **pools)
    try:
        small = Api(TestApp(application), client.token)
        small.get("/jobs")
        answers = repeat_concurrently(
            lambda _number: small.call("POST", f"{job}/notes", {"body": "x"}, status="*")
        )
        assert statuses(answers) == [201] * len(answers)
        assert application.registry["rate_limiter"]._paused_until < 0
    finally:
        dispose_engines(application)


def test_a_request_in_autocommit_mode_returns_its_connection_before_a_hit(counting_app: Any):
    env = prepare(registry=counting_app.registry)
    request = env["request"]
    try:
        assert request.connection.execute("SELECT 1").fetchone() == (1,)
        check_rate_limits([RateLimit("rate_limits.notes_by_user", lambda _request: "ada")], request)
        assert request.connection._pooled is None
        assert request.connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        request._process_finished_callbacks()
        env["closer"]()


def test_limits_hold_in_memory_while_postgresql_fails(caplog: pytest.LogCaptureFixture):
    def fail() -> Any:
        raise OperationalError

    now = [0.0]
    limiter = RateLimiter("postgresql://", lambda: now[0], fail)
    assert [limiter.hit(RATE, "x", "ada") for _ in range(12)].count(0) == 10
    limiter.refund(RATE, "x", "ada")
    assert [limiter.hit(RATE, "x", "ada") for _ in range(3)].count(0) == 1
    assert caplog.text.count("counted by this process alone: OperationalError") == 1
    now[0] = 60
    assert limiter.hit(RATE, "x", "ada") > 0


def test_sweeper_deletes_what_has_expired(
    committing_app: Any, storage: PostgresStorage, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("jobtracker.db.expiry.BATCH", 7)
    for number in range(20):
        hit(storage, RATE, f"{number}")
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    with engine.begin() as connection:
        update = "UPDATE rate_limit_counts SET expires_at = :past WHERE ctid <> '(0,1)'"
        connection.execute(text(update), {"past": past})
    assert sweep(committing_app.registry) is None
    assert count_rows(engine) == 1
