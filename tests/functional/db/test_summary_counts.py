"""The migration that gives the summaries of jobs their counts, on rows of before."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from jobtracker.db.engine import make_engine
from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres
from jobtracker.settings import read

REVISION = "0002"
# More than a batch. The first job of each user has a longer history.
ROWS = """
    INSERT INTO users (cognito_sub, email) VALUES ('ada', 'a'), ('bob', 'b');
    INSERT INTO jobs (user_id, company_name, job_title)
    SELECT id, 'x', 'y' FROM users, generate_series(1, 300);
    INSERT INTO job_steps (user_id, application_id, status)
    SELECT user_id, min(id), unnest(ARRAY['offer', 'accepted', 'applied'])
    FROM jobs GROUP BY user_id;
"""
COUNTS = "SELECT steps, visits, advances, count(*) FROM job_journeys GROUP BY 1, 2, 3 ORDER BY 1"
EXPECTED = [
    (1, [0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], 598),
    (4, [0, 2, 0, 0, 1, 1], [0, 2, 0, 0, 1, 0], 2),
]
NOT_NULL = """SELECT count(*) FROM pg_attribute
              WHERE attrelid = 'job_journeys'::regclass AND attnotnull AND attnum > 0
                  AND attname IN ('steps', 'visits', 'advances')"""
CONSTRAINTS = "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'job_journeys%is_not_null'"


@pytest.fixture
def config(postgres: Postgres, settings: dict[str, str]) -> Iterator[Config]:
    """With rows of before the migration."""
    engine = make_engine(read({**settings, "sqlalchemy.url": postgres.make_database("counts")}))
    config = Config()
    config.set_main_option("script_location", str(CHECKOUT / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, before(config))
        with psycopg.connect(postgres.url("counts"), autocommit=True) as driver:
            driver.execute(ROWS)
        yield config
    engine.dispose()
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE counts WITH (FORCE)")


def before(config: Config) -> str:
    return str(ScriptDirectory.from_config(config).get_revision(REVISION).down_revision)


@pytest.fixture
def database(postgres: Postgres, config: Config) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.url("counts"), autocommit=True) as connection:
        yield connection


def test_existing_summaries_get_their_counts(database: psycopg.Connection[Any], config: Config):
    command.upgrade(config, REVISION)
    assert database.execute(COUNTS).fetchall() == EXPECTED
    assert database.execute(NOT_NULL).fetchone() == (3,)
    assert database.execute(CONSTRAINTS).fetchone() == (0,)


def test_migration_of_summaries_continues_after_an_interruption(
    database: psycopg.Connection[Any], config: Config
):
    command.upgrade(config, REVISION)
    for column in ("steps", "visits", "advances"):
        alter = f"ALTER TABLE job_journeys ALTER {column} DROP NOT NULL"
        database.execute(alter.encode())
    # As half-way through, with writes since: of a summary with counts, and of one without.
    database.execute(
        "UPDATE job_journeys SET (steps, visits, advances) = (NULL, NULL, NULL)"
        " WHERE application_id > 100"
    )
    database.execute("UPDATE jobs SET status = 'offer' WHERE id IN (99, 599)")
    assert database.execute(
        "SELECT array_agg(steps) FROM job_journeys WHERE application_id IN (99, 599)"
    ).fetchone() == ([2, 2],)
    database.execute("UPDATE jobs SET status = 'applied' WHERE id IN (99, 599)")
    command.stamp(config, before(config))
    command.upgrade(config, REVISION)
    assert database.execute(COUNTS).fetchall() == EXPECTED


def test_downgrade_of_the_summaries_counts_keeps_their_triggers(
    database: psycopg.Connection[Any], config: Config
):
    rows = """SELECT user_id, application_id, status, rung, source, reached, went_on, edges
              FROM job_journeys ORDER BY 1, 2"""
    steps = """SELECT application_id, status, origin FROM job_steps ORDER BY 1, at, id"""
    found = []
    for revision in (REVISION, before(config)):
        command.upgrade(config, revision)
        command.downgrade(config, revision)
        database.execute("UPDATE jobs SET status = 'accepted', applied_date = '2026-01-02'")
        database.execute("DELETE FROM job_steps WHERE status = 'offer'")
        found.append([database.execute(query).fetchall() for query in (rows, steps)])
        database.execute("DELETE FROM job_steps WHERE origin = 'applied_date'")
        database.execute("UPDATE jobs SET status = 'applied', applied_date = NULL")
    assert found[0][0]
    assert found[0] == found[1]
