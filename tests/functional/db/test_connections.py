"""Pooled connections in autocommit: taken on first use, and replaced when they were closed."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from jobtracker.db.connections import AutocommitConnection, IdleConnectionCache
from jobtracker.db.engine import make_engine, quotas_of_triggers
from jobtracker.db.idle import IdleConnectionCloser
from jobtracker.settings import SETTINGS, read

PID = "SELECT pg_backend_pid()"


@pytest.fixture
def cache(engine: Engine) -> IdleConnectionCache:
    return IdleConnectionCache(engine, IdleConnectionCloser(engine, timeout=60, minimum=1))


@pytest.fixture
def engine(settings: dict[str, str], app: object) -> Iterator[Engine]:
    checked = {**read(settings), "sqlalchemy.pool_size": 2, "sqlalchemy.max_overflow": 3}
    engine = make_engine(checked, autocommit=True)
    yield engine
    engine.dispose()


def pid(connection: AutocommitConnection) -> int:
    row = connection.execute(PID).fetchone()
    assert row is not None
    return int(row[0])


def test_a_returned_connection_is_reused_by_one_at_a_time(
    engine: Engine, cache: IdleConnectionCache
):
    first = AutocommitConnection(cache)
    known = pid(first)
    first.close()
    first.close()  # a second time has no effect
    second, third = AutocommitConnection(cache), AutocommitConnection(cache)
    assert pid(second) == known
    assert len({pid(second), pid(third), pid(first)}) == 3
    for connection in (first, second, third):
        connection.close()


def test_the_pool_keeps_no_more_than_its_size(engine: Engine, cache: IdleConnectionCache):
    connections = [AutocommitConnection(cache) for _ in range(5)]
    assert len({pid(connection) for connection in connections}) == 5
    for connection in connections:
        connection.close()
    assert len(cache._idle) + engine.pool.checkedin() == 2  # type: ignore[attr-defined]
    again = [AutocommitConnection(cache) for _ in range(5)]
    assert len({pid(connection) for connection in again}) == 5
    for connection in again:
        connection.close()


def test_after_an_invalidation_no_older_connection_is_used(
    engine: Engine, cache: IdleConnectionCache
):
    older = AutocommitConnection(cache), AutocommitConnection(cache)
    known = {pid(connection) for connection in older}
    drivers = [connection._acquire(reads=True) for connection in older]
    for connection in older:
        connection.close()
    drivers[0].invalidation.invalidate_older()
    newer = AutocommitConnection(cache), AutocommitConnection(cache)
    assert known.isdisjoint(pid(connection) for connection in newer)
    assert all(driver.closed for driver in drivers)
    for connection in newer:
        connection.close()


@pytest.mark.parametrize("last", ["SELECT", "COMMIT"])
def test_a_connection_that_was_closed_invalidates_those_of_both_pools(app: Any, last: str):
    autocommit = app.registry["db_autocommit"]()
    known = pid(autocommit)
    autocommit.close()
    engine = app.registry["db_engine"]
    with engine.connect() as connection, engine.connect() as other:
        terminated = connection.scalar(text(PID))
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": terminated})
        with pytest.raises(DBAPIError):
            connection.commit() if last == "COMMIT" else connection.execute(text("SELECT"))
    assert pid(autocommit) != known
    autocommit.close()


def test_a_connection_to_a_host_that_is_gone_is_lost_before_statements_time_out(
    settings: dict[str, str],
):
    for url, expected in (("", "1500"), ("&tcp_user_timeout=7", "7")):
        engine = make_engine(read({**settings, "sqlalchemy.url": settings["sqlalchemy.url"] + url}))
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            assert driver.info.get_parameters()["tcp_user_timeout"] == expected
            assert int(expected) < driver.response_timeout * 1000
        engine.dispose()


def test_disposing_the_engine_closes_idle_connections(engine: Engine, cache: IdleConnectionCache):
    connection = AutocommitConnection(cache)
    pid(connection)
    driver = connection._acquire(reads=True)
    connection.close()
    engine.dispose()
    assert driver.closed


def test_a_write_is_not_sent_on_a_connection_that_postgresql_closed(
    engine: Engine, cache: IdleConnectionCache
):
    other = AutocommitConnection(cache)
    with engine.connect() as terminating:
        terminating.execute(text("SELECT"))
        first = AutocommitConnection(cache)
        known = pid(first)
        first.close()
        terminating.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": known})
        later = other.execute(
            "WITH x AS (SELECT pg_backend_pid() AS pid) SELECT pid FROM x"
        ).fetchone()
        assert later is not None
        assert later[0] != known
    other.close()


def test_triggers_have_the_default_quotas_where_no_session_setting_passes_them_on(engine: Engine):
    with engine.connect() as connection:
        bodies = connection.scalars(
            text("SELECT prosrc FROM pg_proc WHERE prosrc LIKE '%current_setting(''jobtracker.%'")
        ).all()
    found = re.findall(r"'(jobtracker\.\w+_per_job)'.{0,60}?'(\d+)'", "".join(bodies), re.DOTALL)
    defaults = quotas_of_triggers({setting.name: setting.default for setting in SETTINGS})
    assert {(name, int(default)) for name, default in found} == set(defaults.items())
