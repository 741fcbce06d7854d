"""Existing texts are normalized (NFC), and tags in the way of new ones.

Online, in small transactions of one user each. It can be stopped at any moment and begun again: it
then finds what is left. It is no activity of the user: only the texts, jobs.version and
users.revision change. What is invisible in names stays in them, since nothing else is in some.

A text stays as it is where its normal form is too long (some letters of Indic scripts and Hebrew
are two characters in NFC), and the name of a saved view where another view has the normalized one.
"""

import itertools
import time
from typing import Any, NamedTuple

import psycopg
from alembic import op

from jobtracker.jobs.models import normalize_tags
from jobtracker.unicode import normalize

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | None = None
depends_on: str | None = None

# table -> its columns of texts, with their maximum lengths
TEXTS: dict[str, dict[str, int | None]] = {
    "users": {"name": None},
    "jobs": {
        **dict.fromkeys(("company_name", "job_title", "location", "next_action_title"), 255),
        "job_url": 2000,
        "tags": None,
    },
    "notes": {"body": 10_000},
    "interviews": {
        **dict.fromkeys(("stage", "kind"), 50),
        **dict.fromkeys(("location", "interviewer"), 255),
        "notes": 10_000,
    },
    "documents": {"original_filename": 255},
    "saved_views": {"name": 80},
    "activity": {"data": None},
}
KEYS = {"users": ("id",)}
# Rows of a table that are examined by one statement, and those of them that are read at once.
EXAMINED, READ = 5000, 100
# A row that the application has locked is tried again after PAUSE seconds.
LOCK_TIMEOUT, PAUSE, ATTEMPTS = "100ms", 0.5, 120

# function -> a part of it, and what replaces this part in the meantime
MIGRATES = "coalesce(current_setting('jobtracker.migrates', true), '') = 'on'"
REPLACED = {
    "record_activity": ("BEGIN\n", f"BEGIN\n        IF {MIGRATES} THEN RETURN; END IF;\n"),
    "set_last_action_of_job": (
        "BEGIN\n",
        f"BEGIN\n            IF {MIGRATES} THEN RETURN NEW; END IF;\n",
    ),
    "count_version": (
        "NEW.updated_at := statement_timestamp();",
        f"IF NOT ({MIGRATES}) THEN NEW.updated_at := statement_timestamp(); END IF;",
    ),
}

Row = tuple[Any, ...]


def replace_functions(driver: psycopg.Connection[Any], *, back: bool = False) -> None:
    """Replace the functions of the triggers, which locks no table."""
    for name, (usual, replaced) in REPLACED.items():
        query = "SELECT pg_get_functiondef(%s::regproc)"
        (definition,) = driver.execute(query, [name]).fetchone() or ("",)
        definition = definition.replace(replaced, usual)  # of a migration that was interrupted
        if definition.count(usual) != 1:
            raise RuntimeError(f"The function {name} is not the one of the migrations")
        driver.execute(definition if back else definition.replace(usual, replaced))


class Statements(NamedTuple):
    """The SQL of a table, with the parameters of psycopg."""

    end: str
    candidates: str
    update: str


def statements(table: str) -> Statements:
    texts, keys = list(TEXTS[table]), KEYS.get(table, ("user_id", "id"))
    key, columns = ", ".join(keys), ", ".join(texts)
    # JSON as text, of which PostgreSQL escapes no character beyond ASCII.
    read, value = ("::text", "%s::jsonb") if table == "activity" else ("", "%s")
    key_values, values = ", ".join(["%s"] * len(keys)), ", ".join([value] * len(texts))
    needed = [
        # Equal tags differ in characters beyond ASCII, or in the number of blanks.
        "tags::text ~ '[^ -~]|  '" if text == "tags" else f"{text}{read} IS NOT NFC NORMALIZED"
        for text in texts
    ]
    after, up_to = f"({key}) > ({key_values})", f"({key}) <= ({key_values})"
    read_columns = ", ".join([*keys, *(text + read for text in texts)])
    # All names are constants of this file.
    return Statements(
        end=f"SELECT {key} FROM {table} WHERE {after} ORDER BY {key} OFFSET {EXAMINED - 1} LIMIT 1",  # noqa: S608
        candidates=f"""
            SELECT {read_columns} FROM {table} WHERE {after} AND {up_to} AND ({" OR ".join(needed)})
            ORDER BY {key} LIMIT {READ}
        """,  # noqa: S608
        update=f"""
            UPDATE {table} SET ({columns}) = ROW ({values})
            WHERE ({key}) = ({key_values}) AND ({columns}) IS NOT DISTINCT FROM ({values})
        """,  # noqa: S608
    )


def normalize_table(driver: psycopg.Connection[Any], table: str) -> None:
    """Normalize the texts of all rows, in the order of the primary key, the user first."""
    sql, size = statements(table), len(KEYS.get(table, ("user_id", "id")))
    after, last = (0,) * size, (2**63 - 1,) * size
    while after != last:
        end = driver.execute(sql.end, after).fetchone() or last
        while rows := driver.execute(sql.candidates, (*after, *end)).fetchall():
            changes = [(row, new) for row in rows if (new := normalized(table, row)) != row]
            by_user = itertools.groupby(changes, key=lambda change: change[0][0])
            updated = [update(driver, table, sql.update, list(group)) for _, group in by_user]
            if sum(updated) == len(changes):
                after = rows[-1][:size]
            # Otherwise some were changed concurrently: they are read again.
        after = end


def normalized(table: str, row: Row) -> Row:
    size = len(row) - len(TEXTS[table])
    return (*row[:size], *map(normalized_value, row[size:], TEXTS[table].values()))


def normalized_value(value: Any, max_length: int | None) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return normalize_tags(value)
    text = normalize(value)
    return text if max_length is None or len(text) <= max_length else value


def update(
    driver: psycopg.Connection[Any], table: str, query: str, changes: list[tuple[Row, Row]]
) -> int:
    """Update rows of one user in a transaction, and return how many were not changed since."""
    size = len(changes[0][0]) - len(TEXTS[table])
    parameters = [(*new[size:], *old) for old, new in changes]
    for attempt in range(ATTEMPTS):
        try:
            with driver.transaction(), driver.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                cursor.execute("SET LOCAL jobtracker.migrates = 'on'")
                cursor.executemany(query, parameters)
                count = cursor.rowcount
                if table == "activity":  # without a trigger of its own
                    revise = "UPDATE users SET revision = revision + 1 WHERE id = %s"
                    cursor.execute(revise, changes[0][0][:1])
                return count
        except psycopg.errors.LockNotAvailable:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE)
        except psycopg.errors.UniqueViolation:
            if len(changes) == 1:
                return 1  # the row stays as it is
            return sum(update(driver, table, query, [change]) for change in changes)
    raise AssertionError("unreachable")


def upgrade() -> None:
    if op.get_context().as_sql:
        op.execute("-- Texts are normalized by a migration that is connected to the database")
        return
    op.execute("COMMIT")
    driver: Any = op.get_bind().connection.dbapi_connection
    driver.autocommit = True
    try:
        replace_functions(driver)
        for table in TEXTS:
            normalize_table(driver, table)
        replace_functions(driver, back=True)
    finally:
        driver.autocommit = False


def downgrade() -> None:
    """Texts in NFC are as good to an older server."""
