"""Migrations that lock no table for long: their retries, backfills, indexes and SQL."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command, op
from alembic.migration import MigrationContext
from alembic.operations import Operations
from psycopg.errors import QueryCanceled
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from jobtracker.db import migrations
from jobtracker.local.postgres import Postgres
from tests.common.upgrades import Clients, Database, temporary_database

NAME = "upgraded"
LOCK = 0x10B7AC4E  # of migrations/env.py
UNFILLED = "SELECT count(*) FROM jobs WHERE title_length IS DISTINCT FROM length(job_title)"
INDEX = (
    "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_jobs_user_id_title_length'::regclass"
)
COLUMNS = """
    SELECT attname::text FROM pg_attribute
    WHERE attrelid = 'jobs'::regclass AND attname IN ('nickname', 'title_length') AND attnotnull
"""


@pytest.fixture
def database(postgres: Postgres, settings: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """At the newest revision, with 5,000 jobs."""
    with temporary_database(postgres, NAME, settings, tmp_path / "versions") as made:
        made.upgrade()
        made.fill(users=5, jobs=1000)
        yield made


def test_migration_behind_a_long_read_lets_clients_pass(
    database: Database, caplog: pytest.LogCaptureFixture
):
    database.add_examples("nicknames", "title_lengths")
    reading = database.read_until(lambda: "lock timeout: tried again in" in caplog.text)
    # A migration that waited for the read would let no client pass before it ends.
    with Clients(database, lock_timeout="20s") as clients, reading:
        database.upgrade("+2")  # each once, though the first is tried again
    assert clients.errors == []
    assert clients.count > 10
    assert "lock timeout: tried again in" in caplog.text
    assert database.rows(COLUMNS) == [("title_length",)]
    assert database.rows(UNFILLED) == [(0,)]
    assert database.rows(INDEX) == [(True,)]
    database.run(command.downgrade, "-2")
    assert database.rows(COLUMNS) == []


def test_backfill_that_is_interrupted_can_be_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    database.add_examples("title_lengths")
    execute, updates = op.execute, migrations._run_batch
    batches = []

    def interrupt(*args: Any) -> None:
        batches.append(args)
        if len(batches) == 3:
            raise KeyboardInterrupt
        updates(*args)

    monkeypatch.setattr(migrations, "_run_batch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        database.upgrade()
    assert database.rows(UNFILLED) == [(3000,)]

    def cancel(statement: str, **options: Any) -> None:
        execute(statement, **options)
        if statement.startswith("CREATE INDEX"):
            # As after a connection is lost.
            execute(
                "UPDATE pg_index SET indisvalid = false"
                " WHERE indexrelid = 'ix_jobs_user_id_title_length'::regclass"
            )
            raise OperationalError(statement, None, QueryCanceled())

    monkeypatch.setattr(op, "execute", cancel)
    with pytest.raises(OperationalError):
        database.upgrade()
    assert database.rows(INDEX) == [(False,)]
    monkeypatch.setattr(op, "execute", execute)
    database.upgrade()
    assert database.rows(UNFILLED) == [(0,)]
    assert database.rows(INDEX) == [(True,)]


def test_backfill_ends_where_the_last_rows_are_deleted_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    database.add_examples("title_lengths")
    run = migrations._BatchStatements.run

    def delete(self: Any, query: str, **rows: Any) -> Any:
        if query == self.last:
            database.rows("WITH gone AS (DELETE FROM jobs) SELECT 1")
        return run(self, query, **rows)

    monkeypatch.setattr(migrations._BatchStatements, "run", delete)
    database.upgrade()
    assert database.rows(COLUMNS) == [("title_length",)]


def test_sql_of_migrations_does_what_they_do(database: Database):
    head = database.head
    database.add_examples("nicknames", "title_lengths")
    database.run_sql(database.sql_of(f"{head}:head"))
    assert database.rows(COLUMNS) == [("title_length",)]
    assert database.rows(UNFILLED) == [(0,)]
    assert database.rows(INDEX) == [(True,)]
    assert database.rows("SELECT version_num FROM alembic_version") == [("title_lengths",)]


def test_migration_that_waits_for_another_one_delays_none_of_its_indexes(database: Database):
    """CREATE INDEX CONCURRENTLY waits for transactions, so waiting for its lock must be none."""
    database.add_examples("nicknames")
    waiting = threading.Thread(target=database.upgrade)
    with database.connect() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        waiting.start()
        time.sleep(1)
        assert waiting.is_alive()
        other.execute("SET statement_timeout = '10s'")
        other.execute("CREATE INDEX CONCURRENTLY ix_jobs_x ON jobs (user_id, job_title)")
        assert database.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(1,)]
    waiting.join()
    assert database.rows("SELECT version_num FROM alembic_version") == [("nicknames",)]


def test_statements_that_are_executed_together_are_sent_one_by_one_and_committed_together(
    engine: Engine,
):
    sent: list[str] = []
    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda *args: sent.append(args[2]))
        with (
            Operations.context(MigrationContext.configure(connection)),
            migrations.autocommit(),
            pytest.raises(DBAPIError, match="division by zero"),
        ):
            migrations.execute("CREATE TABLE half (id int);\nSELECT 1 / 0")
        assert connection.scalar(text("SELECT to_regclass('half')")) is None
    assert sent[1:3] == ["CREATE TABLE half (id int)", "SELECT 1 / 0"]
