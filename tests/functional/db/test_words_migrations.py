"""Migrations of the words of texts: existing ones become what new ones are, and back."""

import re
import runpy
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from alembic import command

from jobtracker.db import migrations
from jobtracker.local.postgres import Postgres
from jobtracker.search.words import RIGHT_TO_LEFT, fold
from tests.common.upgrades import VERSIONS, Database, temporary_database


class Migration(NamedTuple):
    """:param texts: five in their order, of which the last is the only one that has the same words
    before and after"""

    before: str
    after: str
    texts: tuple[str, ...]


MIGRATIONS = {
    # Syllables, with Latin letters, decomposed, half-width and of compatibility; and no Hangul.
    "hangul": Migration(
        "0010",
        "0011",
        (
            "\ubc31\uc5d4\ub4dc\uac1c\ubc1c\uc790",
            "Java\uac1c\ubc1c\uc790 C++",
            "\u1100\u1162\u1107\u1161\u11af\u110c\u1161",
            "\uffa1\uffa2 \u3131\u3134 \u3260",
            "Engineer \u6771\u4eac\u90fd",
        ),
    ),
    # A particle in Hebrew, and in Arabic with and without tatweel; an apostrophe, a sharp.
    "mixed_scripts": Migration(
        "0013",
        "0014",
        (
            "\u05d1Python",
            "\u0628\u0640Python \ufef3python",
            "\u043a\u043e\u043c\u043f\u02bc\u044e\u0442\u0435\u0440",
            "F\u266f C\u266f",
            "Engineer \u0645\u0637\u0648\u0631 C#",
        ),
    ),
}
JOBS = "INSERT INTO jobs (user_id, company_name, job_title, tags) VALUES (1, 'x', %s, %s)"
NOTES = """
    INSERT INTO notes (user_id, application_id, body)
    SELECT 1, id, note FROM jobs, unnest(ARRAY['first', 'gone ' || job_title, 'x ' || job_title,
        'trashed ' || job_title, 'last']) AS note
    WHERE NOT EXISTS (SELECT FROM notes WHERE application_id = jobs.id)
"""
TRASH = "UPDATE {table} SET trashed_at = now(), trash_reason = 'user' WHERE trashed_at IS NULL AND "
#: One note is purged, one in the trash; and so is the job of the fourth text.
DELETIONS = (
    TRASH.format(table="notes") + "body ~ '^(gone|trashed)'",
    "DELETE FROM notes WHERE body ~ '^gone'",
    TRASH.format(table="jobs") + "id % 5 = 4",
)
WORDS = """
    SELECT words::text FROM {table} JOIN jobs ON jobs.id = application_id
    WHERE application_id {of} 5 ORDER BY job_title, words::text
"""
TABLES = ("job_words", "note_words", "trashed_note_words")


def make(database: Database, texts: tuple[str, ...]) -> None:
    """A job of each text, with notes."""
    with database.connect() as connection:
        for text in texts:
            connection.execute(JOBS, [text, [text]])
        for statement in (NOTES, *DELETIONS):
            connection.execute(statement.encode())


def words(database: Database, of: str = "<=") -> list[Any]:
    """Of the jobs that were made first, or of the others."""
    return [database.rows(WORDS.format(table=table, of=of)) for table in TABLES]


@pytest.fixture(params=MIGRATIONS.values(), ids=list(MIGRATIONS))
def migration(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def database(
    postgres: Postgres, settings: dict[str, str], tmp_path: Path, migration: Migration
) -> Iterator[Database]:
    """At the revision before, with a job of each text."""
    with temporary_database(postgres, "words_migrations", settings, tmp_path / "versions") as made:
        made.upgrade(migration.before)
        with made.connect() as connection:
            connection.execute(
                "INSERT INTO users (id, cognito_sub, email) VALUES (1, '1', 'a@b.cd')"
            )
        make(made, migration.texts)
        yield made


def test_existing_words_become_those_of_new_texts_and_back(
    database: Database, migration: Migration
):
    before = words(database)
    database.upgrade(migration.after)
    make(database, migration.texts)
    after = words(database)
    assert after == words(database, ">")
    for rows, rows_before in zip(after, before, strict=True):
        assert len(rows) == len(rows_before) > 0
        assert rows != rows_before
    assert [row in after[0] for row in before[0]].count(True) == 1
    database.run(command.downgrade, migration.before)
    assert words(database) == before


def test_upgrade_can_be_interrupted_and_its_sql_does_the_same(
    database: Database, migration: Migration, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_run_batch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            database.upgrade(migration.after)
    before, script = words(database), database.sql_of(f"{migration.before}:{migration.after}")
    database.upgrade(migration.after)
    after = words(database)
    assert after != before
    database.run(command.downgrade, migration.before)
    database.run_sql(script)
    assert words(database) == after


def test_all_characters_that_become_others_are_looked_for():
    constants = runpy.run_path(str(VERSIONS / "0014_words_of_mixed_scripts.py"))
    looked_for = re.compile(f"[{constants['BEFORE_FOLDING']}]")
    becomes = re.compile(f"[{RIGHT_TO_LEFT}]")
    for character in map(chr, range(sys.maxunicode + 1)):
        is_sign = set(unicodedata.normalize("NFKD", character)) & set("\u02bb\u02bc\u266f")
        if is_sign or becomes.search(fold(character).text):
            assert looked_for.match(character), character
