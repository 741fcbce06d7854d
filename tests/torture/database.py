"""The database of server processes."""

from typing import Any

import psycopg
from sqlalchemy import create_engine

from jobtracker.local import migrations

#: What a user has, with what triggers derive from it.
TABLES = (
    *("jobs", "notes", "interviews", "documents", "job_steps", "activity", "saved_views"),
    *("job_words", "note_words", "trashed_note_words", "job_journeys", "import_sources"),
)


def migrate(url: str) -> None:
    """Bring a database to the newest schema."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    migrations.upgrade(engine)
    engine.dispose()


def contents(rows: psycopg.Connection[Any], user: int) -> dict[str, str | None]:
    """A digest of all rows of a user by their tables, None where there are none."""
    digest = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} AS t WHERE user_id = %s"
    found = {table: rows.execute(digest.format(table), [user]).fetchone() for table in TABLES}
    return {table: row and row[0] for table, row in found.items()}
