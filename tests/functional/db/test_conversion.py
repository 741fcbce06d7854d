"""The migration of words and view names, on rows of before, with writers, and stopped half-way."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic import command, op
from alembic.config import Config
from sqlalchemy.exc import OperationalError

from jobtracker.db.engine import make_engine
from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres
from jobtracker.search import queries
from jobtracker.settings import read

BEFORE, AFTER = "0021", "0022"
ROWS = """
    INSERT INTO users (cognito_sub, email) VALUES ('ada', 'a'), ('bob', 'b');
    INSERT INTO jobs (user_id, company_name, job_title, tags)
    SELECT id, 'Z\u00fcrich ' || n, 'C++', ARRAY['Stra\u00dfe']
    FROM users, generate_series(1, 250) AS n;
    INSERT INTO notes (user_id, application_id, body)
    SELECT user_id, id, 'word' || n || ' R\u00e9sum\u00e9' FROM jobs, generate_series(1, 3) AS n;
    INSERT INTO saved_views (user_id, name, data)
    SELECT id, view, '{}' FROM users, unnest(ARRAY[
        'Mine', 'MINE', 'mine', 'mine (2)', repeat('x', 80), repeat('X', 80), 'Other'
    ]) AS view;
"""
UNCONVERTED = """
    SELECT (SELECT count(*) FROM job_words WHERE texts = ''),
           (SELECT count(*) FROM note_words WHERE note_ids = '{}'),
           (SELECT count(*) FROM notes WHERE NOT EXISTS (
                SELECT FROM note_words WHERE note_words.user_id = notes.user_id
                    AND note_words.application_id = notes.application_id
                    AND notes.id = ANY (note_ids))),
           (SELECT count(*) - count(DISTINCT id) FROM note_words, unnest(note_ids) AS id),
           (SELECT count(*) FROM note_words, unnest(note_ids) AS of_note
            WHERE NOT EXISTS (SELECT FROM notes WHERE notes.user_id = note_words.user_id
                              AND notes.id = of_note))
"""


class Database:
    def __init__(self, url: str, config: Config) -> None:
        self.url, self.config = url, config

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def rows(self, query: str) -> list[Any]:
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def database(postgres: Postgres, settings: dict[str, str]) -> Iterator[Database]:
    """With rows of before the migration."""
    url = postgres.make_database("conversion")
    engine = make_engine(read({**settings, "sqlalchemy.url": url}))
    config = Config()
    config.set_main_option("script_location", str(CHECKOUT / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
        with psycopg.connect(url, autocommit=True) as driver:
            driver.execute(ROWS)
        yield Database(url, config)
    engine.dispose()
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE conversion WITH (FORCE)")


def found(database: Database, q: str) -> int:
    with database.connect() as connection:
        return len(queries.search(connection, 1, q, limit=1000))


def test_rows_of_before_are_converted(database: Database):
    command.upgrade(database.config, AFTER)
    assert database.rows(UNCONVERTED) == [(0, 0, 0, 0, 0)]
    assert found(database, "c++ zurich resume word3") == 250
    assert found(database, "c") == 250
    keys = database.rows("SELECT DISTINCT texts, tags FROM job_words WHERE texts LIKE '% 7\n%'")
    assert keys == [("z\u00fcrich 7\nc++\n", ["strasse"])]
    assert (
        database.rows(
            "SELECT FROM pg_index JOIN pg_am ON amname = 'gin' JOIN pg_class"
            " ON relam = pg_am.oid AND pg_class.oid = indexrelid"
        )
        == []
    )
    names = "SELECT name FROM saved_views WHERE user_id = 1 ORDER BY id"
    assert [name for (name,) in database.rows(names)] == [
        *("Mine", "MINE (3)", "mine (4)", "mine (2)", "x" * 80, "X" * 76 + " (2)", "Other")
    ]


def test_downgrade_restores_what_was_before(database: Database):
    words = "SELECT user_id, application_id, words::text FROM {} ORDER BY user_id, 2, {}"
    queries_of = (words.format("job_words", 2), words.format("note_words", "note_id"))
    before = [database.rows(query) for query in queries_of]
    command.upgrade(database.config, AFTER)
    command.downgrade(database.config, BEFORE)
    assert [database.rows(query) for query in queries_of] == before
    command.upgrade(database.config, AFTER)
    assert database.rows(UNCONVERTED) == [(0, 0, 0, 0, 0)]


WRITES_OF_BEFORE = """
    INSERT INTO notes (user_id, application_id, body)
    SELECT 1, min(id), 'new' FROM jobs WHERE user_id = 1;
    DELETE FROM notes WHERE id = (SELECT min(id) FROM notes WHERE user_id = 1);
    UPDATE jobs SET company_name = 'Changed'
    WHERE id = (SELECT max(id) FROM jobs WHERE user_id = 1);
    DELETE FROM jobs WHERE id = (SELECT max(id) FROM jobs WHERE user_id = 2);
"""


@pytest.mark.parametrize("stop", [*range(1, 40, 3)])
def test_conversion_continues_after_it_was_stopped(
    database: Database, stop: int, monkeypatch: pytest.MonkeyPatch
):
    """Stopped before the n-th statement, as by a lost connection."""
    execute = op.execute
    number = 0

    def stopping(statement: Any) -> Any:
        nonlocal number
        number += 1
        if number == stop:
            raise KeyboardInterrupt
        return execute(statement)

    monkeypatch.setattr(op, "execute", stopping)
    try:
        command.upgrade(database.config, AFTER)
    except KeyboardInterrupt:
        database.config.attributes["connection"].rollback()
    monkeypatch.undo()
    with database.connect() as connection:  # the application of before still works
        connection.execute(WRITES_OF_BEFORE)
    command.upgrade(database.config, AFTER)
    assert database.rows(UNCONVERTED) == [(0, 0, 0, 0, 0)]
    assert found(database, "new") == found(database, "changed") == 1


def test_conversion_keeps_the_batches_before_it_was_stopped(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    execute = op.execute

    def impatient(statement: Any) -> Any:
        execute("SET lock_timeout = '300ms'")
        return execute(statement)

    monkeypatch.setattr(op, "execute", impatient)
    with database.connect() as locker, locker.transaction():
        locker.execute("SELECT FROM jobs WHERE id = 480 FOR NO KEY UPDATE")
        with pytest.raises(OperationalError):
            command.upgrade(database.config, AFTER)
    database.config.attributes["connection"].rollback()
    ((jobs, notes, *_rest),) = database.rows(UNCONVERTED)
    assert (jobs, notes) == (0, 3 * 100)  # the last batch of 100 jobs
    command.upgrade(database.config, AFTER)
    assert database.rows(UNCONVERTED) == [(0, 0, 0, 0, 0)]


JOB = "(SELECT id FROM jobs WHERE user_id = %(user)s ORDER BY random() LIMIT 1)"
NOTE = "(SELECT id FROM notes WHERE user_id = %(user)s ORDER BY random() LIMIT 1)"
WRITES = (
    f"INSERT INTO notes (user_id, application_id, body) SELECT %(user)s, {JOB}, 'new'",
    f"DELETE FROM notes WHERE user_id = %(user)s AND id = {NOTE}",  # noqa: S608
    f"UPDATE jobs SET location = 'Wien' WHERE user_id = %(user)s AND id = {JOB}",  # noqa: S608
)


def test_writers_work_during_the_conversion(database: Database):
    stopped = threading.Event()
    errors: list[BaseException] = []

    def write(user: int) -> None:
        with database.connect() as connection:
            while not stopped.is_set():
                try:
                    for statement in WRITES:
                        connection.execute(statement.encode(), {"user": user})
                except psycopg.errors.DeadlockDetected:
                    continue  # as the application attempts it again
                except psycopg.Error as error:
                    errors.append(error)
                    return

    writers = [threading.Thread(target=write, args=(user,)) for user in (1, 2)]
    for writer in writers:
        writer.start()
    try:
        command.upgrade(database.config, AFTER)
    finally:
        stopped.set()
        for writer in writers:
            writer.join()
    assert errors == []
    assert database.rows(UNCONVERTED) == [(0, 0, 0, 0, 0)]
    stale = """SELECT count(*) FROM jobs JOIN job_words ON job_words.user_id = jobs.user_id
               AND application_id = id WHERE texts <> folded_texts(jobs)"""
    assert database.rows(stale) == [(0,)]
