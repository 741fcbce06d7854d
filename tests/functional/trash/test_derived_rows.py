"""What is derived from jobs and notes: out of the way in the trash, and exactly back after it."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobtracker.search import trash_queries
from tests.common.api import Api

TABLES = ("job_words", "note_words", "job_journeys", "trashed_note_words")
TRASH = "UPDATE {} SET trashed_at = now(), trash_reason = 'user' WHERE {}"
RESTORE = "UPDATE {} SET trashed_at = NULL, trash_reason = NULL WHERE trashed_at IS NOT NULL"


@pytest.fixture
def sql(connection: Connection) -> Any:
    return lambda query, **values: connection.execute(text(query), values)


@pytest.fixture
def derived(connection: Connection) -> Any:
    """All derived rows, by their table."""

    def read() -> dict[str, list[Any]]:
        queries = {table: f"SELECT * FROM {table} ORDER BY 1, 2, 3" for table in TABLES}  # noqa: S608
        return {name: list(connection.execute(text(query))) for name, query in queries.items()}

    return read


@pytest.fixture
def job(ada: Api, sql: Any) -> int:
    """A job with steps, and with notes of 3 rows of words at least."""
    job_id = ada.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"}).json["id"]
    for status in ("offer", "archived", "interviewing"):
        ada.post(f"/jobs/{job_id}/history", {"status": status})
    sql("""INSERT INTO notes (user_id, application_id, body)
           SELECT user_id, jobs.id, 'word' || n || ' called ' || string_agg(md5(n || '-' || m), ' ')
           FROM jobs, generate_series(1, 100) AS n, generate_series(1, 10) AS m
           GROUP BY user_id, jobs.id, n ORDER BY n""")
    ada.post("/jobs", {"company_name": "Other", "job_title": "x"})
    return job_id


def test_derived_rows_of_a_job_are_gone_and_come_back_as_they_were(
    ada: Api, app: Any, job: int, sql: Any, derived: Any
):
    before, shown = derived(), ada.get("/jobs/search?q=called").body
    sql(TRASH.format("jobs", "id = :job"), job=job)
    trashed = derived()
    assert [row.application_id for row in trashed["job_words"]] != [job]
    assert len(trashed["job_words"]) == len(trashed["job_journeys"]) == 1
    # The sweeper moves most rows of words. Until then, they are of no result.
    assert 0 < len(trashed["note_words"]) < len(before["note_words"])
    assert ada.get("/jobs/search?q=called&limit=1").json["jobs"] == []
    assert trash_queries.sweep(app.registry["db_sessions"]) == len(trashed["note_words"])
    assert derived()["note_words"] == []
    assert derived()["trashed_note_words"] == before["note_words"]
    sql(RESTORE.format("jobs"))
    assert derived() == before
    assert ada.get("/jobs/search?q=called").body == shown
    sql(TRASH.format("jobs", "id = :job"), job=job)
    sql(RESTORE.format("jobs"))
    assert derived() == before


def test_words_of_a_note_are_gone_and_come_back_in_the_same_place(
    ada: Api, job: int, sql: Any, derived: Any
):
    def found() -> list[int]:
        return [each["id"] for each in ada.get("/jobs/search?q=word17").json["jobs"]]

    before = derived()
    sql(TRASH.format("notes", "body LIKE 'word17 %' OR body LIKE 'word60 %'"))
    assert found() == []
    assert len(derived()["note_words"]) == len(before["note_words"])
    sql("INSERT INTO notes (user_id, application_id, body) SELECT user_id, id, 'x' FROM jobs")
    sql("DELETE FROM notes WHERE body = 'x'")
    sql(RESTORE.format("notes"))
    assert found() == [job]
    words = {row.note_id: (row.note_ids, row.words) for row in derived()["note_words"]}
    last = max(row.note_id for row in before["note_words"])
    kept = [row for row in before["note_words"] if row.note_id != last]
    assert [words.get(row.note_id) for row in kept] == [(row.note_ids, row.words) for row in kept]


def test_purged_notes_leave_no_words(job: int, sql: Any, derived: Any):
    sql(TRASH.format("notes", "id % 2 = 0"))
    sql("DELETE FROM notes WHERE trashed_at IS NOT NULL")
    ids = sorted(each for row in derived()["note_words"] for each in row.note_ids if each)
    assert ids == sorted(sql("SELECT id FROM notes").scalars())
    sql(TRASH.format("notes", "true"))
    sql("DELETE FROM notes")
    assert derived()["note_words"] == []


def test_search_shows_the_right_note_when_one_before_it_was_purged(ada: Api, sql: Any):
    path = ada.post("/jobs", {"company_name": "Acme", "job_title": "x"}).headers["Location"]
    for body in ("They called.", "We wrote.", "We met in Vienna.", "They wrote."):
        ada.post(f"{path}/notes", {"body": body})
    sql(TRASH.format("notes", "body = 'We wrote.'"))
    sql("DELETE FROM notes WHERE trashed_at IS NOT NULL")
    (found,) = ada.get("/jobs/search?q=vienna&highlight=true").json["jobs"]
    assert "Vienna" in str(found["highlight"])


def test_notes_in_a_row_of_words_have_a_bounded_length(job: int, sql: Any, derived: Any):
    """As their words are computed when one of them comes into the trash."""
    for reason in (None, "user"):
        sql(
            """INSERT INTO notes (user_id, application_id, body, trashed_at, trash_reason)
            SELECT user_id, id, repeat('called ', 1250),
                   CASE WHEN CAST(:reason AS text) IS NOT NULL THEN now() END, :reason
            FROM jobs, generate_series(1, 60) WHERE id = :job""",
            job=job,
            reason=reason,
        )
    lengths = sql("""
        SELECT sum(length(body)) FROM note_words
        JOIN notes ON notes.user_id = note_words.user_id AND notes.id = ANY (note_ids)
        GROUP BY note_words.note_id
    """)
    assert max(lengths.scalars()) <= 250_000


def test_purge_computes_no_words(job: int, sql: Any, derived: Any):
    """As of 200 notes of 10,000 characters in a row, it would take seconds."""
    sql(TRASH.format("notes", "id % 2 = 0"))
    before = [row.words for row in derived()["note_words"]]
    sql('ALTER FUNCTION weighed_words(text, "char") RENAME TO not_called')
    sql("DELETE FROM notes WHERE trashed_at IS NOT NULL")
    assert [row.words for row in derived()["note_words"]] == before


def test_job_that_is_purged_gets_no_derived_rows_and_no_activity(job: int, sql: Any, derived: Any):
    sql(TRASH.format("jobs", "id = :job").replace("'user'", "'purge'"), job=job)
    events = sql("SELECT count(*) FROM activity").scalar()
    sql("DELETE FROM notes")
    sql("DELETE FROM job_steps WHERE application_id = :job AND status = 'offer'", job=job)
    assert sql("SELECT count(*) FROM activity").scalar() == events
    left = derived()
    assert len(left["job_words"]) == len(left["job_journeys"]) == 1
    sql("DELETE FROM jobs WHERE id = :job", job=job)
    assert derived()["note_words"] == derived()["trashed_note_words"] == []
    assert sql("SELECT job_count FROM users").scalar() == 1


def test_changes_of_a_job_in_the_trash_derive_nothing(job: int, sql: Any, derived: Any):
    """By SQL, or by a server of the release before."""
    sql(TRASH.format("jobs", "true"))
    sql("UPDATE jobs SET company_name = 'Changed'")
    sql("""INSERT INTO job_steps (user_id, application_id, status)
           SELECT user_id, id, 'onsite' FROM jobs""")
    assert derived()["job_words"] == derived()["job_journeys"] == []
    sql(RESTORE.format("jobs"))
    left = derived()
    assert {row.texts.partition("\n")[0] for row in left["job_words"]} == {"changed"}
    assert {row.status for row in left["job_journeys"]} == {"onsite"}
