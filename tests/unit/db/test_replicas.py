"""When the replica is in use, and what is logged of that."""

import psycopg
import pytest
import sqlalchemy as sa

from jobtracker.db.replicas import MAX_TIMEOUTS, Check, NotAStandby, Replica
from jobtracker.settings import SETTINGS

OWN = {
    "sqlalchemy.reading_url": "postgresql+psycopg://nowhere/x",
    "sqlalchemy.pool_size": 1,
    "sqlalchemy.max_overflow": 1,
    "sqlalchemy.connect_timeout": 1,
}


@pytest.fixture
def replica() -> Replica:
    defaults = {setting.name: setting.default for setting in SETTINGS}
    return Replica({**defaults, **OWN})


@pytest.mark.parametrize(
    "error", [psycopg.OperationalError("x"), NotAStandby(), psycopg.errors.UndefinedColumn("x")]
)
def test_failed_replica_is_tried_by_one_request_at_a_time(
    replica: Replica,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    assert replica.try_acquire()
    replica.failed(error)
    replica.failed(error)  # of a concurrent request
    assert not replica.try_acquire()
    monkeypatch.setattr(replica, "_retry_at", 0)
    assert replica.try_acquire()
    assert not replica.try_acquire()
    replica.failed(error)
    assert len(caplog.records) == 1
    replica.succeeded(in_use=True)  # of a request that had begun before the failure
    assert not replica.try_acquire()
    replica.succeeded(in_use=False)
    replica.succeeded(in_use=False)
    assert replica.try_acquire()
    assert replica.try_acquire()
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.SerializationFailure("conflict with recovery"),
        psycopg.DataError("x"),
        sa.exc.TimeoutError("the pool is exhausted"),
    ],
)
def test_error_of_one_statement_leaves_the_replica_in_use(replica: Replica, error: Exception):
    for _ in range(10):
        replica.failed(error)
    assert replica.try_acquire()


def test_consecutive_timeouts_alone_are_a_failure(replica: Replica):
    error = psycopg.errors.QueryCanceled("canceling statement due to statement timeout")
    for _ in range(MAX_TIMEOUTS):
        replica.failed(error)
        replica.succeeded(in_use=True)
    assert replica.is_in_use
    for _ in range(MAX_TIMEOUTS):
        replica.failed(error)
    assert not replica.is_in_use


class Primary:
    """Records what is executed."""

    def __init__(self) -> None:
        self.executed: list[str] = []

    def execute(self, query: str, *_args: object, **_options: object) -> None:
        self.executed.append(query)

    def close(self) -> None:
        """There is nothing to return."""


@pytest.mark.parametrize("write", ["INSERT INTO x", "WITH y AS (INSERT INTO x)", None])
def test_what_follows_a_write_of_the_request_is_executed_by_the_primary(
    replica: Replica, write: str | None
):
    primary = Primary()
    connection = replica.reading_connection(primary)
    connection.check = Check("SELECT true, true", {})
    if write is None:
        connection.close()  # while another connection writes
    else:
        connection.execute(write)
    connection.execute("SELECT 1")
    assert primary.executed == [*([write] if write else []), "SELECT 1"]
    assert replica.is_in_use  # it was not asked: it is nowhere
