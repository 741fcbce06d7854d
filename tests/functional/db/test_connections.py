"""Connections for reading, which are lent and come back."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from jobtracker.db.connections import Lender, Statements, make_engine
from jobtracker.settings import read

ME = "SELECT pg_backend_pid()"


@pytest.fixture
def engine(settings: dict[str, str], app: object) -> Iterator[Engine]:
    checked = {**read(settings), "sqlalchemy.pool_size": 2, "sqlalchemy.max_overflow": 3}
    engine = make_engine(checked, reading=True)
    yield engine
    engine.dispose()


def pid(statements: Statements) -> int:
    row = statements.execute(ME).fetchone()
    assert row is not None
    return int(row[0])


def test_what_came_back_is_lent_again_to_one_at_a_time(engine: Engine):
    lender = Lender(engine)
    first = Statements(lender)
    known = pid(first)
    first.close()
    first.close()  # twice is once
    second, third = Statements(lender), Statements(lender)
    assert pid(second) == known
    assert len({pid(second), pid(third), pid(first)}) == 3  # who goes on, is lent another
    for statements in (first, second, third):
        statements.close()


def test_no_more_are_kept_than_the_pool_keeps(engine: Engine):
    lender = Lender(engine)
    all_of_them = [Statements(lender) for _ in range(5)]
    assert len({pid(statements) for statements in all_of_them}) == 5
    for statements in all_of_them:
        statements.close()
    assert len(lender._idle) + engine.pool.checkedin() == 2  # type: ignore[attr-defined]
    # Nobody is kept waiting by those that are idle.
    again = [Statements(lender) for _ in range(5)]
    assert len({pid(statements) for statements in again}) == 5
    for statements in again:
        statements.close()


def test_after_one_was_found_dead_no_older_one_is_lent(engine: Engine):
    lender = Lender(engine)
    one, other = Statements(lender), Statements(lender)
    known = {pid(one), pid(other)}
    dead = other._connection(reads=True)
    one.close()
    other.close()
    dead.pool.invalidate_older()
    later = Statements(lender)
    assert pid(later) not in known
    assert dead.closed
    later.close()


def test_none_outlives_the_pool(engine: Engine):
    lender = Lender(engine)
    statements = Statements(lender)
    pid(statements)
    connection = statements._connection(reads=True)
    statements.close()
    engine.dispose()
    assert connection.closed


def test_what_writes_is_not_lent_one_that_was_closed(engine: Engine):
    lender = Lender(engine)
    first = Statements(lender)
    known = pid(first)
    first.close()
    other = Statements(lender)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": known})
    later = other.execute("WITH x AS (SELECT pg_backend_pid() AS pid) SELECT pid FROM x").fetchone()
    assert later is not None
    assert later[0] != known
    other.close()
