"""Many rows at once, by SQL."""

from typing import Any

from sqlalchemy import Engine, text

BATCH = 200  # jobs


def insert_rows(engine: Engine, table: str, number: int, **columns: Any) -> None:
    """Rows with the same values, of which a string that begins with ``=`` is SQL; ``n`` counts.

    Without triggers, which take seconds for thousands of long rows, except that the users'
    revisions and counts are updated.
    """
    is_sql = {name: str(value).startswith("=") for name, value in columns.items()}
    values = [value[1:] if is_sql[name] else f":{name}" for name, value in columns.items()]
    statement = f"""
        INSERT INTO {table} ({", ".join(columns)})
        SELECT {", ".join(values)} FROM generate_series(1, :number) AS n
    """  # noqa: S608 (from the tests)
    given = {name: value for name, value in columns.items() if not is_sql[name]}
    count = "(SELECT count(*) FROM jobs WHERE user_id = users.id)"
    changed = f"revision = revision + 1, revision_nonce = -revision, job_count = {count}"
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement), {**given, "number": number})
        connection.execute(text(f"UPDATE users SET {changed}"))  # noqa: S608 (from above)


def insert_jobs(engine: Engine, user_id: int, number: int, **columns: Any) -> None:
    """Jobs of a user, as by :func:`insert_rows`, with what filters read (no words of searches)."""
    required = {"company_name": "Acme", "job_title": "Engineer"}
    insert_rows(engine, "jobs", number, user_id=user_id, **required, **columns)
    job_ids = text("SELECT id FROM jobs WHERE user_id = :user_id")
    keep_keys = text("""
        INSERT INTO job_words (user_id, application_id, words, texts, tags)
        SELECT user_id, id, '', folded_texts(company_name, job_title, location), folded(tags)
        FROM jobs WHERE user_id = :user_id AND id = ANY (:job_ids) ON CONFLICT DO NOTHING
    """)
    with engine.begin() as connection:
        ids = list(connection.execute(job_ids, {"user_id": user_id}).scalars())
        # In batches, since a statement for many long texts would run into the time-out.
        for start in range(0, len(ids), BATCH):
            batch = {"user_id": user_id, "job_ids": ids[start : start + BATCH]}
            connection.execute(keep_keys, batch)
