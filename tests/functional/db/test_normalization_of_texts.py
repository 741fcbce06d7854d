"""The migration of existing texts to NFC: online, and resumable."""

import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg.rows import dict_row

from jobtracker.db.engine import make_engine
from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres
from jobtracker.settings import read

USERS = 12
NFD = "Zu\u0308rich"
NFC = unicodedata.normalize("NFC", NFD)

INSERT = f"""
    INSERT INTO users (cognito_sub, email, name)
    SELECT n, n || '@example.com', '{NFD} ' || n FROM generate_series(1, {USERS}) AS n;
    INSERT INTO jobs (user_id, company_name, job_title, location, job_url, next_action_title, tags)
    SELECT id, '{NFD} AG', 'Re\u0301dacteur', '\u1112\u1161\u11ab', 'https://{NFD}.example/', NULL,
           ARRAY['{NFD}', '{NFC}', 'stra\u00dfe', 'strasse', '\u03c3\u03bf\u03c6\u03cc\u03c3',
                 '\u03c3\u03bf\u03c6\u03cc\u03c2', 'two  words', 'two words']
    FROM users;
    UPDATE jobs SET next_action_title = 'Fragen: {NFD}';
    INSERT INTO jobs (user_id, company_name, job_title) SELECT id, 'Acme', 'Engineer' FROM users;
    INSERT INTO notes (user_id, application_id, body)
    SELECT user_id, id, '{NFD}' || n FROM jobs, generate_series(1, 30) AS n;
    INSERT INTO interviews (user_id, application_id, scheduled_at, stage, interviewer, notes)
    SELECT user_id, id, now(), 'erstgespra\u0308ch', 'Zoe\u0308', '{NFD}' FROM jobs;
    INSERT INTO documents (user_id, application_id, doc_type, original_filename, size_bytes,
                           upload_key, object_key, upload_expires_at)
    SELECT user_id, id, 'resume', 'Re\u0301sume\u0301.pdf', 1, id, id, now() FROM jobs;
    INSERT INTO saved_views (user_id, name, data) SELECT id, '{NFD}', '{{"q": "{NFD}"}}' FROM users;
"""  # noqa: S608
TABLES = ("users", "jobs", "notes", "interviews", "documents", "saved_views", "activity")
TAGS = ["stra\u00dfe", "two  words", NFC.lower(), "\u03c3\u03bf\u03c6\u03cc\u03c3"]

Tables = dict[str, list[dict[str, Any]]]


class Database:
    """A database of its own, with existing texts, and Alembic's configuration for it."""

    def __init__(self, url: str, settings: dict[str, str]) -> None:
        self.url = url.replace("postgresql+psycopg", "postgresql")
        self.engine = make_engine(read({**settings, "sqlalchemy.url": url}))

    def upgrade(self, revision: str = "0021") -> None:
        config = Config()
        config.set_main_option("script_location", str(CHECKOUT / "migrations"))
        with self.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, **options)

    def read(self) -> Tables:
        with self.connect(row_factory=dict_row) as connection:
            return {
                table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()  # noqa: S608
                for table in TABLES
            }


@pytest.fixture
def database(postgres: Postgres, settings: dict[str, str]) -> Iterator[Database]:
    database = Database(postgres.make_database("texts"), settings)
    database.upgrade("0020")
    with database.connect() as connection:
        connection.execute(INSERT)
    yield database
    database.engine.dispose()
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("DROP DATABASE texts WITH (FORCE)")


def normalized(value: Any) -> Any:
    """The value with all text in it in NFC."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {key: normalized(item) for key, item in value.items()}
    return [*map(normalized, value)] if isinstance(value, list) else value


def check_only_texts_changed(before: Tables, after: Tables) -> None:
    counters = ("revision", "revised_by", "version")
    for table in TABLES:
        assert len(before[table]) == len(after[table]), table
        for old, new in zip(before[table], after[table], strict=True):
            expected = normalized(old)
            if table == "saved_views":
                expected["data"] = old["data"]  # the client's own
            if old.get("tags"):
                expected["tags"] = TAGS
            for name in counters:
                expected.pop(name, None), new.pop(name, None)
            assert new == expected, table


def test_all_texts_are_normalized_and_nothing_else_changes(database: Database):
    before = database.read()
    database.upgrade()
    after = database.read()
    for user, old in zip(after["users"], before["users"], strict=True):
        assert user["revision"] > old["revision"]
    for job, old in zip(after["jobs"], before["jobs"], strict=True):
        assert job["version"] == old["version"] + (job["company_name"] != "Acme")
    check_only_texts_changed(before, after)
    again = database.read()
    with database.connect() as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0020'")
    database.upgrade()
    assert database.read() == again


def test_functions_of_the_triggers_are_as_before(database: Database):
    query = """SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
               ORDER BY proname"""
    with database.connect() as connection:
        before = connection.execute(query).fetchall()
        connection.commit()
        database.upgrade()
        assert connection.execute(query).fetchall() == before


def wait_until(condition: Any) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("Nothing happened in 30 seconds")


def scalar(connection: psycopg.Connection[Any], query: str) -> Any:
    (value,) = connection.execute(query).fetchone() or (None,)
    return value


# Alembic in a process of its own, with the URL of the database.
UPGRADE = """
import sys
import sqlalchemy
from alembic import command
from alembic.config import Config

config = Config()
config.set_main_option("script_location", sys.argv[2])
with sqlalchemy.create_engine(sys.argv[1]).connect() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, "0021")
"""


def test_interrupted_migration_can_be_begun_again(database: Database):
    before = database.read()
    arguments = [database.engine.url.render_as_string(), str(CHECKOUT / "migrations")]
    count = "SELECT count(*) FROM notes WHERE body IS NFC NORMALIZED"
    with database.connect() as holder, database.connect(autocommit=True) as watcher:
        # The migration waits for a row in the middle.
        holder.execute("SELECT FROM notes WHERE user_id = 6 FOR UPDATE")
        for _ in range(2):
            process = subprocess.Popen([sys.executable, "-c", UPGRADE, *arguments])  # noqa: S603
            try:
                wait_until(lambda: scalar(watcher, count) >= 30)
                time.sleep(1)
                assert process.poll() is None
            finally:
                process.kill()
                process.wait()
        assert scalar(watcher, count) < len(before["notes"])
        assert scalar(watcher, "SELECT version_num FROM alembic_version") == "0020"
        # Meanwhile changes are recorded.
        watcher.execute("UPDATE jobs SET location = 'Linz' WHERE id = 1")
    database.upgrade()
    after = database.read()
    assert after["jobs"][0].pop("location") == "Linz"
    assert after["jobs"][0].pop("updated_at") > before["jobs"][0].pop("updated_at")
    del before["jobs"][0]["location"]
    assert after["activity"].pop()["data"] == {"fields": ["location"]}
    check_only_texts_changed(before, after)


def test_writers_work_during_the_migration(database: Database):
    """Their writes are kept and recorded, and wait for no lock of a table."""
    stopped = threading.Event()
    slowest, written = 0.0, 0

    def write() -> None:
        nonlocal slowest, written
        with database.connect(autocommit=True) as connection:
            connection.execute("SET lock_timeout = '5s'")
            while not stopped.is_set():
                begun = time.monotonic()
                connection.execute(
                    "UPDATE jobs SET company_name = company_name || %s WHERE id = 1", ["u\u0308"]
                )
                connection.execute(
                    "INSERT INTO notes (user_id, application_id, body) SELECT user_id, id, 'x'"
                    " FROM jobs WHERE id = 1"
                )
                slowest, written = max(slowest, time.monotonic() - begun), written + 1
                time.sleep(0.02)

    with database.connect(autocommit=True) as connection:
        connection.execute("UPDATE jobs SET company_name = '' WHERE id = 1")
        before = scalar(connection, "SELECT count(*) FROM activity")
        thread = threading.Thread(target=write)
        thread.start()
        try:
            wait_until(lambda: written)
            database.upgrade()
        finally:
            stopped.set()
            thread.join()
        name = scalar(connection, "SELECT company_name FROM jobs WHERE id = 1")
        after = scalar(connection, "SELECT count(*) FROM activity")
    assert normalized(name) == "\u00fc" * written
    assert after - before == 2 * written
    assert slowest < 4


def test_text_that_is_too_long_in_nfc_stays_as_it_is(database: Database):
    long, marks = "\u0958" * 255, "a" + "\u0301\u0323" * 4999
    with database.connect() as connection:
        connection.execute("UPDATE jobs SET company_name = %s WHERE id = 1", [long])
        connection.execute("UPDATE notes SET body = %s WHERE id = 1", [marks])
    database.upgrade()
    after = database.read()
    assert (after["jobs"][0]["company_name"], after["jobs"][0]["job_title"]) == (
        *(long, "R\u00e9dacteur"),
    )
    assert after["notes"][0]["body"] == marks


def test_name_of_a_view_that_another_one_has_in_nfc_stays_as_it_is(database: Database):
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO saved_views (user_id, name, data) SELECT id, %s, '{}' FROM users", [NFC]
        )
    before = database.read()
    database.upgrade()
    assert database.read()["saved_views"] == before["saved_views"]
