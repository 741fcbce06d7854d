"""The migration that adds the trash: what it leaves of rows and of the schema, there and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command

from jobtracker.local.postgres import Postgres
from tests.common.upgrades import Clients, Database, temporary_database

BEFORE, AFTER = "0004", "0005"
#: The schema, but the order of the columns.
CATALOG = """
    SELECT pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    UNION ALL
    SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid >= 16384
    UNION ALL
    SELECT conrelid::regclass || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid > 0
    UNION ALL
    SELECT concat_ws(' ', attrelid::regclass, attname, atttypid::regtype, attnotnull, attstorage)
    FROM pg_attribute WHERE attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r')
        AND attrelid >= 16384 AND attnum > 0 AND NOT attisdropped
    ORDER BY 1
"""
CHILDREN = """
    INSERT INTO notes (user_id, application_id, body)
    SELECT user_id, id, 'They called back' FROM jobs;
    INSERT INTO saved_views (user_id, name, data) SELECT id, 'Mine', '{}' FROM users;
"""


@pytest.fixture
def database(postgres: Postgres, settings: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """At the revision before, with 40 jobs of 2 users."""
    with temporary_database(postgres, "trash_migration", settings, tmp_path / "versions") as made:
        made.upgrade(BEFORE)
        made.fill(users=2, jobs=20, with_steps=True)
        with made.connect() as connection:
            connection.execute("UPDATE users SET job_count = 20")
            connection.execute(CHILDREN)
        yield made


def test_downgrade_purges_the_trash_and_restores_the_schema(database: Database):
    schema = database.rows(CATALOG)
    database.upgrade(AFTER)
    assert database.rows(CATALOG) != schema
    first, second = (user_id for (user_id,) in database.rows("SELECT id FROM users ORDER BY 1"))
    with database.connect() as connection:
        for table in ("jobs", "notes", "saved_views"):
            trash = f"UPDATE {table} SET trashed_at = now(), trash_reason = 'user'"  # noqa: S608
            connection.execute(f"{trash} WHERE user_id = {first}".encode())
    assert database.rows("SELECT job_count FROM users ORDER BY id") == [(0,), (20,)]
    database.run(command.downgrade, BEFORE)
    assert database.rows(CATALOG) == schema
    for table in ("jobs", "notes", "saved_views", "job_journeys", "note_words"):
        query = f"SELECT DISTINCT user_id FROM {table}"  # noqa: S608
        assert database.rows(query) == [(second,)], table
    assert database.rows("SELECT job_count FROM users ORDER BY id") == [(0,), (20,)]


def test_upgrade_can_be_repeated_and_makes_what_its_sql_makes(database: Database):
    script = database.sql_of(f"{BEFORE}:{AFTER}")
    database.upgrade(AFTER)
    schema = database.rows(CATALOG)
    with database.connect() as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [BEFORE])
    database.run_sql(script)
    assert database.rows(CATALOG) == schema
    assert database.rows("SELECT version_num FROM alembic_version") == [(AFTER,)]


def test_clients_of_the_release_before_write_during_the_upgrade(database: Database):
    with Clients(database, lock_timeout="5s", number=2) as clients:
        database.upgrade(AFTER)
    assert clients.errors == []
    assert database.rows("SELECT count(*) FROM jobs WHERE trashed_at IS NOT NULL") == [(0,)]
