"""Idle connections are closed after a time, but for a minimum."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, QueuePool, text

from jobtracker.db.connections import AutocommitConnection, IdleConnectionCache
from jobtracker.db.engine import make_engine
from jobtracker.db.idle import IdleConnectionCloser
from jobtracker.local.process import wait_until
from jobtracker.settings import read

TIMEOUT = 0.5
SECONDS_TO_CLOSE = 10


@pytest.fixture(params=["autocommit", "transactions"])
def autocommit(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "autocommit")


@pytest.fixture
def engine(settings: dict[str, str], app: object, autocommit: bool) -> Iterator[Engine]:
    sizes = {"pool_size": 3, "max_overflow": 1}
    sizes |= {f"transaction_{name}": size for name, size in sizes.items()}
    checked = {**read(settings), **{f"sqlalchemy.{name}": size for name, size in sizes.items()}}
    engine = make_engine(checked, autocommit=autocommit)
    yield engine
    engine.dispose()


@pytest.fixture
def closer(engine: Engine) -> IdleConnectionCloser:
    return IdleConnectionCloser(engine, TIMEOUT, minimum=1)


def use(engine: Engine, closer: IdleConnectionCloser, autocommit: bool, number: int) -> list[Any]:
    """Use and return so many connections at once; the connections of psycopg."""
    if autocommit:
        cache = IdleConnectionCache(engine, closer)
        taken: list[Any] = [AutocommitConnection(cache) for _ in range(number)]
        drivers = [each._acquire(reads=True) for each in taken]
    else:
        taken = [engine.connect() for _ in range(number)]
        for each in taken:
            each.execute(text("SELECT 1"))
        drivers = [each.connection.dbapi_connection for each in taken]
    for each in taken:
        each.close()
    return drivers


def number_of_open(drivers: list[Any]) -> int:
    return sum(not driver.closed for driver in drivers)


def test_idle_connections_are_closed_down_to_the_minimum(
    engine: Engine, closer: IdleConnectionCloser, autocommit: bool
):
    drivers = use(engine, closer, autocommit, 4)
    assert number_of_open(drivers) == 3  # the size of the pool
    assert wait_until(lambda: number_of_open(drivers) == 1, SECONDS_TO_CLOSE)
    time.sleep(1.5 * TIMEOUT)
    assert number_of_open(drivers) == 1
    assert closer._timer is None
    # The pool has room for as many as before.
    again = use(engine, closer, autocommit, 4)
    assert len(set(map(id, again))) == 4
    assert number_of_open(again) == 3
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedin() + len(closer.cached) == 3


def test_a_connection_in_use_stays_open(
    engine: Engine, closer: IdleConnectionCloser, autocommit: bool
):
    drivers = use(engine, closer, autocommit, 3)
    deadline = time.monotonic() + SECONDS_TO_CLOSE
    used = set()
    while number_of_open(drivers) > 2 and time.monotonic() < deadline:
        used |= {id(driver) for driver in use(engine, closer, autocommit, 1)}
    assert number_of_open(drivers) <= 2  # and one that was idle while the other one was in use
    assert used <= {id(driver) for driver in drivers if not driver.closed}
    assert len(used) == 1


def test_disposing_the_engine_stops_the_timer(
    engine: Engine, closer: IdleConnectionCloser, autocommit: bool
):
    use(engine, closer, autocommit, 2)
    timer = closer._timer
    assert timer is not None
    engine.dispose()
    timer.join(SECONDS_TO_CLOSE)
    assert not timer.is_alive()
    assert closer._timer is None
