"""The migration of comparison keys: those of existing texts become what new ones are, and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command

from jobtracker.db import migrations
from jobtracker.local.postgres import Postgres
from tests.common.upgrades import Database, temporary_database

BEFORE, AFTER = "0011", "0012"
TEXTS = (
    "O\u2019Reilly",
    "\u0130\u0301stanbul",
    "I\u0307\u0307zmir",
    "Wi\u2011Fi \u201eBerlin\u201c",
    "Hawai\u02bbi",
    "plain-'\"",
)
NAMES = ("\u0130stanbul", "istanbul", "ISTANBUL.", "O'Reilly", "O\u2019Reilly", "x" * 80)
JOBS = "INSERT INTO jobs (user_id, company_name, job_title, tags) VALUES (1, 'x', %s, %s)"
VIEWS = "INSERT INTO saved_views (user_id, name, data) VALUES (1, %s, '{}')"
KEYS = "SELECT texts, tags FROM job_words WHERE application_id {of} 6 ORDER BY application_id"
INDEX = "SELECT pg_get_indexdef('uq_saved_views_user_id_name'::regclass)"


def make(database: Database) -> None:
    """A job of each text."""
    with database.connect() as connection:
        for text in TEXTS:
            connection.execute(JOBS, [text, [text]])


def keys(database: Database, of: str = "<=") -> list[Any]:
    """Of the jobs that were made first, or of the others."""
    return database.rows(KEYS.format(of=of))


def names(database: Database) -> list[str]:
    return [name for (name,) in database.rows("SELECT name FROM saved_views ORDER BY id")]


@pytest.fixture
def database(postgres: Postgres, settings: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """At the revision before, with a job of each text."""
    with temporary_database(
        postgres, "apostrophes_migration", settings, tmp_path / "versions"
    ) as made:
        made.upgrade(BEFORE)
        with made.connect() as connection:
            connection.execute(
                "INSERT INTO users (id, cognito_sub, email) VALUES (1, '1', 'a@b.cd')"
            )
        make(made)
        yield made


def test_existing_keys_become_those_of_new_texts_and_back(database: Database):
    before = keys(database)
    database.upgrade(AFTER)
    make(database)
    after = keys(database)
    assert after == keys(database, ">")
    assert [one == other for one, other in zip(before, after, strict=True)].count(True) == 1
    database.run(command.downgrade, BEFORE)
    assert keys(database) == before


def test_views_whose_names_become_the_same_are_renamed_but_for_the_first(database: Database):
    with database.connect() as connection:
        for name in NAMES:
            connection.execute(VIEWS, [name])
        index = database.rows(INDEX)
        database.upgrade(AFTER)
        assert names(database) == [
            *("\u0130stanbul", "istanbul (2)", "ISTANBUL.", "O'Reilly", "O\u2019Reilly (5)"),
            "x" * 80,
        ]
        assert database.rows(INDEX) == index
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(VIEWS, ["ISTANBUL"])


def test_upgrade_can_be_interrupted_and_its_sql_does_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_run_batch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            database.upgrade(AFTER)
    before, script = keys(database), database.sql_of(f"{BEFORE}:{AFTER}")
    database.upgrade(AFTER)
    after = keys(database)
    assert after != before
    database.run(command.downgrade, BEFORE)
    database.run_sql(script)
    assert keys(database) == after
