"""What PostgreSQL itself refuses, and that models and migrations agree."""

from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, IntegrityError

from jobtracker.db.base import Base
from jobtracker.db.engine import make_engine
from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres
from jobtracker.settings import read

DOCUMENT = """
    INSERT INTO documents (user_id, application_id, doc_type, original_filename, size_bytes,
                           upload_key, object_key, upload_expires_at, status)
    VALUES (:user, :job, :type, 'cv.pdf', 1, :key, :key || '/final', now(), :status) RETURNING id
"""

INTERVIEW = """
    INSERT INTO interviews (user_id, application_id, scheduled_at)
    VALUES (:user, :job, '2026-11-30 14:00+01') RETURNING id
"""


@pytest.fixture
def sql(connection: Connection) -> Any:
    def run(statement: str, **parameters: Any) -> Any:
        with connection.begin_nested():
            result = connection.execute(text(statement), parameters)
            return result.scalar() if result.returns_rows else result.rowcount

    return run


@pytest.fixture
def users(sql: Any) -> list[int]:
    insert = "INSERT INTO users (cognito_sub, email) VALUES (:sub, :sub) RETURNING id"
    return [sql(insert, sub=sub) for sub in ("ada", "bob")]


@pytest.fixture
def bobs_job(sql: Any, users: list[int]) -> int:
    insert = """INSERT INTO jobs (user_id, company_name, job_title)
                VALUES (:user, 'Acme', 'Engineer') RETURNING id"""
    return sql(insert, user=users[1])


@pytest.fixture
def bobs_interview(sql: Any, users: list[int], bobs_job: int) -> int:
    return sql(INTERVIEW, user=users[1], job=bobs_job)


@pytest.fixture
def bobs_views(sql: Any, users: list[int]) -> None:
    for name in "12":
        insert = "INSERT INTO saved_views (user_id, name, data) VALUES (:user, :name, '{}')"
        sql(insert, user=users[1], name=name)


class TestIsolation:
    def test_note_under_a_job_of_another_user_is_refused(
        self, sql: Any, users: list[int], bobs_job: int
    ):
        ada, bob = users
        insert = "INSERT INTO notes (user_id, application_id, body) VALUES (:user, :job, 'x')"
        sql(insert, user=bob, job=bobs_job)
        with pytest.raises(IntegrityError, match="fk_notes_user_id_application_id_jobs"):
            sql(insert, user=ada, job=bobs_job)
        with pytest.raises(IntegrityError, match="fk_note"):  # its words hold on to it as well
            sql("UPDATE notes SET user_id = :user", user=ada)

    def test_document_under_a_job_of_another_user_is_refused(
        self, sql: Any, users: list[int], bobs_job: int
    ):
        ada, bob = users
        given = {"job": bobs_job, "type": "resume", "status": "pending", "key": "k"}
        sql(DOCUMENT, user=bob, **given)
        with pytest.raises(IntegrityError, match="fk_documents_user_id_application_id_jobs"):
            sql(DOCUMENT, user=ada, **given)

    def test_interview_under_a_job_of_another_user_is_refused(
        self, sql: Any, users: list[int], bobs_job: int
    ):
        with pytest.raises(IntegrityError, match="fk_interviews_user_id_application_id_jobs"):
            sql(INTERVIEW, user=users[0], job=bobs_job)

    def test_job_with_children_cannot_change_its_user(
        self, sql: Any, users: list[int], bobs_job: int
    ):
        insert = "INSERT INTO notes (user_id, application_id, body) VALUES (:user, :job, 'x')"
        sql(insert, user=users[1], job=bobs_job)
        with pytest.raises(IntegrityError):
            sql("UPDATE jobs SET user_id = :user", user=users[0])

    def test_job_without_a_user_is_refused(self, sql: Any):
        with pytest.raises(IntegrityError, match="fk_jobs_user_id_users"):
            sql("INSERT INTO jobs (user_id, company_name, job_title) VALUES (0, 'x', 'y')")


class TestConstraints:
    def test_second_uploaded_document_of_a_single_valued_type_is_refused(
        self, sql: Any, users: list[int], bobs_job: int
    ):
        def add(doc_type: str, status: str, key: str) -> int:
            given = {"user": users[1], "job": bobs_job, "type": doc_type}
            return sql(DOCUMENT, **given, status=status, key=key)

        for doc_type in ("resume", "job_description", "cover_letter"):
            add(doc_type, "uploaded", f"{doc_type} 1")
            add(doc_type, "pending", f"{doc_type} 2")
            with pytest.raises(IntegrityError, match="uq_documents_single_valued"):
                add(doc_type, "uploaded", f"{doc_type} 3")
        add("thank_you", "uploaded", "thank_you 1")
        add("thank_you", "uploaded", "thank_you 2")

    def test_deletion_of_a_document_enqueues_its_objects(
        self, sql: Any, users: list[int], bobs_job: int
    ):
        given = {"user": users[1], "job": bobs_job, "type": "resume", "status": "uploaded"}
        sql(DOCUMENT, **given, key="k")
        sql("DELETE FROM users WHERE id = :user", user=users[1])
        keys = """SELECT string_agg(user_id || ' ' || object_key, ', ' ORDER BY object_key)
                  FROM object_deletions"""
        assert sql(keys) == f"{users[1]} k, {users[1]} k/final"

    def test_deletion_of_a_document_that_was_confirmed_long_ago_needs_no_repetition(
        self, sql: Any, users: list[int], bobs_job: int
    ):
        for status in ("uploaded", "pending"):
            given = {"user": users[1], "job": bobs_job, "type": "resume", "status": status}
            sql(DOCUMENT, **given, key=status)
        sql("UPDATE documents SET upload_expires_at = now() - interval '1 hour 1 second'")
        sql("DELETE FROM documents")
        found = """SELECT string_agg(object_key, ', ' ORDER BY object_key) FROM object_deletions
                   WHERE (repeat_until <= statement_timestamp()) = :is_last"""
        assert sql(found, is_last=True) == "pending, uploaded/final"
        assert sql(found, is_last=False) == "pending/final"

    @pytest.mark.parametrize(
        ("statement", "error"),
        [
            ("UPDATE users SET theme = 'pink'", IntegrityError),
            ("UPDATE users SET auto_refresh_seconds = 5", IntegrityError),
            ("UPDATE users SET data_retention_days = 3651", IntegrityError),
            ("UPDATE users SET default_jobs_sort = 'id'", IntegrityError),
            ("UPDATE users SET default_jobs_view = 'none'", IntegrityError),
            ("UPDATE users SET cognito_sub = NULL", IntegrityError),
            ("INSERT INTO identities VALUES ('same', 1), ('same', 2)", IntegrityError),
            ("UPDATE users SET ui_preferences = '[true]'", IntegrityError),
            ("""UPDATE users SET ui_preferences = '{"a": true, "b": 1}'""", IntegrityError),
            (
                """UPDATE users SET ui_preferences = (
                       SELECT jsonb_object_agg(key, true) FROM generate_series(0, 100) AS key)""",
                IntegrityError,
            ),
            ("UPDATE jobs SET status = 'hired'", IntegrityError),
            ("UPDATE jobs SET tags = array_fill('x'::text, ARRAY[51])", IntegrityError),
            ("UPDATE jobs SET company_name = repeat('x', 256)", DataError),
            ("UPDATE jobs SET job_url = repeat('x', 2001)", DataError),
            ("UPDATE interviews SET status = 'won'", IntegrityError),
            ("UPDATE interviews SET stage = repeat('x', 51)", DataError),
            ("UPDATE interviews SET scheduled_at = NULL", IntegrityError),
            ("UPDATE saved_views SET name = 'same'", IntegrityError),
            ("UPDATE saved_views SET name = repeat('x', 81) WHERE name = '1'", DataError),
            ("UPDATE saved_views SET data = '[]'", IntegrityError),
            (
                "UPDATE saved_views SET data = json_build_object('a', repeat('x', 16384))",
                IntegrityError,
            ),
            ("UPDATE saved_views SET user_id = 0", IntegrityError),
        ],
    )
    @pytest.mark.usefixtures("bobs_interview", "bobs_views")
    def test_value_outside_enum_or_bounds_is_refused(self, sql: Any, statement: str, error: type):
        with pytest.raises(error):
            sql(statement)


def written_out(connection: Connection) -> set[tuple[str, ...]]:
    """Every constraint and index of a schema. Triggers are the migrations' alone."""
    constraints = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
                     FROM pg_constraint
                     WHERE connamespace = 'public'::regnamespace AND contype <> 't'"""
    indexes = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    return {
        tuple(row) for query in (constraints, indexes) for row in connection.execute(text(query))
    }


class TestMigrations:
    @pytest.fixture
    def config(self, postgres: Postgres, settings: dict[str, str]) -> Any:
        """Alembic on a database of its own."""
        url = postgres.make_database("migrations")
        engine = make_engine(read({**settings, "sqlalchemy.url": url}))
        config = Config()
        config.set_main_option("script_location", str(CHECKOUT / "migrations"))
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            yield config
        engine.dispose()
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("DROP DATABASE migrations")

    def test_migrations_agree_with_the_models(self, config: Config):
        command.upgrade(config, "head")
        command.check(config)

    def test_migrations_agree_in_checks_keys_and_indexes(
        self, config: Config, postgres: Postgres, settings: dict[str, str]
    ):
        """Checks, keys and indexes, as PostgreSQL itself would write them."""
        command.upgrade(config, "head")
        url = postgres.make_database("models")
        engine = make_engine(read({**settings, "sqlalchemy.url": url}))
        with engine.begin() as connection:
            # An index and defaults use them.
            for function in (
                "fold(string text) RETURNS text IMMUTABLE RETURN string",
                "new_user_id() RETURNS bigint RETURN 1",
                "transaction_nonce() RETURNS bigint STABLE RETURN 1",
            ):
                connection.execute(text(f"CREATE FUNCTION {function}"))
            Base.metadata.create_all(connection)
            by_models = written_out(connection)
        engine.dispose()
        by_migrations = written_out(config.attributes["connection"])
        assert len(by_models) > 30
        assert by_models == by_migrations - {
            row for row in by_migrations if row[0] == "alembic_version"
        }

    def test_migrations_downgrade_and_upgrade_again(self, config: Config):
        command.upgrade(config, "head")
        command.downgrade(config, "base")
        left = config.attributes["connection"].execute(
            text("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        )
        assert left.scalar() == 2  # alembic_version, and its index
        command.upgrade(config, "head")
