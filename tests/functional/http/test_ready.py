"""``GET /ready``."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import make_url
from webtest import TestApp

import jobtracker
from jobtracker.db.checks import Migrations
from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import SOCKET, Postgres
from tests.common.api import Api
from tests.common.app import dispose_engines
from tests.common.proxy import Proxy
from tests.common.running_clock import running_time

# More than a second, on a busy machine.
SECONDS_AT_MOST = 3


def test_server_is_ready(anonymous: Api):
    answer = anonymous.get("/ready")
    assert answer.json == {"status": "ready"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert anonymous.call("HEAD", "/ready/").body == b""


def test_ready_is_not_counted_in_rate_limits(ada: Api, app: Any, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_args: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(app.registry["memory_rate_limiter"], "count", refuse)
    monkeypatch.setattr(app.registry["rate_limiter"], "hit", refuse)
    ada.get("/ready")


def test_draining_server_is_not_ready(anonymous: Api, app: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(app.registry, "is_draining", lambda: True)
    answer = anonymous.call("GET", "/ready", status=503)
    assert answer.json["details"]["missing"].keys() == {"server"}
    assert answer.headers["Retry-After"] == "1"
    anonymous.get("/health")


def test_older_schema_is_not_ready(anonymous: Api, app: Any, monkeypatch: pytest.MonkeyPatch):
    found = Migrations.of(str(CHECKOUT / "production.ini"))
    assert found is not None
    check = app.registry["database_check"]
    monkeypatch.setattr(check, "migrations", found)
    anonymous.get("/ready")
    newer = Migrations(found.known | {"next"}, frozenset({"next"}))
    monkeypatch.setattr(check, "migrations", newer)
    assert anonymous.refused(503, "GET", "/ready")["details"]["missing"].keys() == {"schema"}


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Proxy]:
    """A proxy in front of PostgreSQL."""
    with Proxy(postgres.socket_folder / SOCKET) as proxy:
        yield proxy


@pytest.fixture
def remote(settings: dict[str, str], app: Any, database: Proxy) -> Iterator[Api]:
    """A client of an application that reaches PostgreSQL by the proxy, and has a replica that is
    not available."""
    name = make_url(app.registry.settings["sqlalchemy.url"]).database
    url = f"postgresql://postgres@127.0.0.1:{database.port}/{name}"
    replica = "postgresql://postgres@127.0.0.1:1/x"
    own = {"sqlalchemy.url": url, "sqlalchemy.reading_url": replica}
    remote_app = jobtracker.main({}, **{**settings, **own})
    yield Api(TestApp(remote_app), "")
    dispose_engines(remote_app)


def test_database_that_hangs_is_not_ready_within_a_second(remote: Api, database: Proxy):
    remote.get("/ready")
    database.stall()
    for _ in range(3):
        began = running_time()
        error = remote.refused(503, "GET", "/ready")
        assert running_time() - began < SECONDS_AT_MOST
        assert error["details"]["missing"].keys() == {"database"}
        assert "127.0.0.1" not in error["message"]
    remote.get("/health")
    database.forward()
    deadline = time.monotonic() + 20
    while remote.call("GET", "/ready", status="*").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_database_that_was_restarted_is_ready_at_once(remote: Api, database: Proxy):
    remote.get("/ready")
    database.cut()
    database.forward()
    time.sleep(0.1)
    remote.get("/ready")


def test_database_that_refuses_is_not_ready(remote: Api, database: Proxy):
    database.refuse()
    error = remote.refused(503, "GET", "/ready")
    assert error["details"]["missing"].keys() == {"database"}
