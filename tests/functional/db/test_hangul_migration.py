"""The migration of the words of Korean texts: existing ones become what new ones are, and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command

from jobtracker.db import migrations
from jobtracker.local.postgres import Postgres
from tests.common.upgrades import Database, temporary_database

BEFORE, AFTER = "0010", "0011"
# Syllables, with Latin letters, decomposed, half-width and of compatibility; and no Hangul.
TEXTS = (
    "\ubc31\uc5d4\ub4dc\uac1c\ubc1c\uc790",
    "Java\uac1c\ubc1c\uc790 C++",
    "\u1100\u1162\u1107\u1161\u11af\u110c\u1161",
    "\uffa1\uffa2 \u3131\u3134 \u3260",
    "Engineer \u6771\u4eac\u90fd",
)
JOBS = "INSERT INTO jobs (user_id, company_name, job_title, tags) VALUES (1, 'x', %s, %s)"
NOTES = """
    INSERT INTO notes (user_id, application_id, body)
    SELECT 1, id, note FROM jobs, unnest(ARRAY['first', 'gone ' || job_title, 'x ' || job_title,
        'trashed ' || job_title, 'last']) AS note
    WHERE NOT EXISTS (SELECT FROM notes WHERE application_id = jobs.id)
"""
TRASH = "UPDATE {table} SET trashed_at = now(), trash_reason = 'user' WHERE trashed_at IS NULL AND "
#: One note is purged, one in the trash; and so is the job of the last text.
DELETIONS = (
    TRASH.format(table="notes") + "body ~ '^(gone|trashed)'",
    "DELETE FROM notes WHERE body ~ '^gone'",
    TRASH.format(table="jobs") + f"job_title = '{TEXTS[3]}'",
)
WORDS = """
    SELECT words::text FROM {table} JOIN jobs ON jobs.id = application_id
    WHERE application_id {of} 5 ORDER BY job_title, words::text
"""
TABLES = ("job_words", "note_words", "trashed_note_words")


def make(database: Database) -> None:
    """A job of each text, with notes."""
    with database.connect() as connection:
        for text in TEXTS:
            connection.execute(JOBS, [text, [text]])
        for statement in (NOTES, *DELETIONS):
            connection.execute(statement.encode())


def words(database: Database, of: str = "<=") -> list[Any]:
    """Of the jobs that were made first, or of the others."""
    return [database.rows(WORDS.format(table=table, of=of)) for table in TABLES]


@pytest.fixture
def database(postgres: Postgres, settings: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """At the revision before, with a job of each text."""
    with temporary_database(postgres, "hangul_migration", settings, tmp_path / "versions") as made:
        made.upgrade(BEFORE)
        with made.connect() as connection:
            connection.execute(
                "INSERT INTO users (id, cognito_sub, email) VALUES (1, '1', 'a@b.cd')"
            )
        make(made)
        yield made


def test_existing_words_become_those_of_new_texts_and_back(database: Database):
    before = words(database)
    database.upgrade(AFTER)
    make(database)
    after = words(database)
    assert after == words(database, ">")
    for rows, rows_before in zip(after, before, strict=True):
        assert len(rows) == len(rows_before) > 0
        assert rows != rows_before
    assert [row in after[0] for row in before[0]].count(True) == 1  # that without Hangul
    database.run(command.downgrade, BEFORE)
    assert words(database) == before


def test_upgrade_can_be_interrupted_and_its_sql_does_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_run_batch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            database.upgrade(AFTER)
    before, script = words(database), database.sql_of(f"{BEFORE}:{AFTER}")
    database.upgrade(AFTER)
    after = words(database)
    assert after != before
    database.run(command.downgrade, BEFORE)
    database.run_sql(script)
    assert words(database) == after
