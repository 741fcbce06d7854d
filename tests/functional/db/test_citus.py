"""What only a Citus cluster tells: with CITUS_URL, all other functional tests run on it as well."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyramid.threadlocal import manager
from sqlalchemy import Engine, text
from webtest import TestApp

from jobtracker.db.base import Base
from jobtracker.db.connections import transaction
from jobtracker.db.engine import make_migrations_engine
from jobtracker.local.migrations import upgrade
from jobtracker.settings import read
from jobtracker.sweep import sweep
from tests.common import citus
from tests.common.api import Api
from tests.common.user_pool import MotoUserPool

RELEASE = Path(__file__).parents[3] / "migrations" / "previous_release"

pytestmark = pytest.mark.skipif(citus.URL is None, reason=citus.WITHOUT_URL)


TABLES = """
    SELECT table_name::text, citus_table_type, distribution_column, colocation_id
    FROM citus_tables
"""
# Of a worker, without the numbers of shards and of sequences.
SCHEMA = r"""
    SELECT DISTINCT regexp_replace(definition, '_\d{6,}', '', 'g') COLLATE "C" FROM (
        SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass || pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace
    ) AS definitions (definition) ORDER BY 1
"""
# The first one whose triggers Citus executes.
FIRST_WITH_ROWS = "0002"
TEXT = "'\ubc31\uc5d4\ub4dc \uac1c\ubc1c\uc790 O\u2019Reilly \u05d1Python'"
USER = "INSERT INTO users (id, cognito_sub, email) VALUES (:user_id, 'x', 'a@b.cd')"
JOB = f"""
    INSERT INTO jobs (user_id, id, company_name, job_title) OVERRIDING SYSTEM VALUE
    VALUES (:user_id, :job, 'x', {TEXT})
"""  # noqa: S608
NOTE = f"""
    INSERT INTO notes (user_id, application_id, body) VALUES (:user_id, :job, {TEXT})
"""  # noqa: S608
VIEW = "INSERT INTO saved_views (user_id, name, data) VALUES (:user_id, 'O\u2019Reilly', '{}')"
WORDS = """
    SELECT application_id, job_words.words::text, note_words.words::text
    FROM job_words JOIN note_words USING (user_id, application_id)
"""


def test_tables_of_users_are_distributed_together_and_others_are_local(engine: Engine):
    with engine.connect() as connection:
        rows = connection.execute(text(TABLES))
        found = {name: (kind, column, group) for name, kind, column, group in rows}
    _kind, _column, group = found["users"]
    expected = {
        name: ("distributed", "user_id", group)
        for name, table in Base.metadata.tables.items()
        if "user_id" in table.columns
    }
    expected |= {"users": ("distributed", "id", group)}
    kind, column, group_of_identities = found["identities"]
    assert (kind, column) == ("distributed", "sub")
    assert group_of_identities != group
    assert found | {"identities": expected["identities"]} == expected


def test_distribution_can_be_repeated(engine: Engine):
    citus.distribute(engine)


def test_database_that_is_distributed_is_upgraded(
    engine: Engine, make_database: Callable[[str], str], settings: dict[str, str]
):
    own = {**settings, "sqlalchemy.url": make_database("upgrade")}
    upgraded = make_migrations_engine(read(own))
    (released,) = re.findall("^revision (.*)$", RELEASE.read_text(), re.MULTILINE)
    users = range(1, 3 * citus.SHARDS + 1)
    for revision in (released, FIRST_WITH_ROWS):
        upgrade(upgraded, revision)
        citus.distribute(upgraded)
    for user_id in users:
        execute(upgraded, (USER, JOB, NOTE, VIEW), user_id=user_id, job=1)
    upgrade(upgraded)
    citus.distribute(upgraded)
    assert schema_of_a_worker(upgraded) == schema_of_a_worker(engine)
    execute(upgraded, (JOB, NOTE), user_id=1, job=2)
    with upgraded.connect() as connection:
        of_jobs = [(job, words) for job, *words in connection.execute(text(WORDS))]
    assert sorted(job for job, _words in of_jobs) == [*(1 for _user in users), 2]
    assert all(words == dict(of_jobs)[2] for _job, words in of_jobs)
    upgraded.dispose()


def execute(engine: Engine, statements: tuple[str, ...], **values: int) -> None:
    for statement in statements:
        with engine.begin() as connection:
            connection.execute(text(statement), values)


def schema_of_a_worker(engine: Engine) -> list[str]:
    assert citus.URL is not None
    (worker, *_others) = citus.Citus(citus.URL).workers
    with worker.connect(citus.URL, engine.url.database) as connection:
        connection.execute("SET citus.override_table_visibility = off")
        return [definition for (definition,) in connection.execute(SCHEMA)]


def test_statement_of_a_request_on_several_shards_is_found(
    committing_app: Any, multi_shard_statements: list[str]
):
    class Request:
        method, path = "GET", "/somewhere"

    manager.push({"request": Request(), "registry": committing_app.registry})
    try:
        with transaction(committing_app.registry["db_sessions"]) as connection:
            connection.execute("SELECT count(*) FROM users")
    finally:
        manager.pop()
    assert len(multi_shard_statements) == 1
    multi_shard_statements.clear()


def test_sweeper_deletes_what_has_expired_of_users_on_all_shards(
    client: Api, committing_app: Any, engine: Engine, user_pool: MotoUserPool, job: str
):
    number = 3 * citus.SHARDS
    for each in range(number):
        user = Api(TestApp(committing_app), user_pool.user(f"{each}@example.com", "U").access_token)
        key = {"Idempotency-Key": "a"}
        job = user.post("/jobs", {"company_name": "Acme", "job_title": "x"}, headers=key).headers[
            "Location"
        ]
        upload = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
        user.post(f"{job}/documents/presign-upload", upload)
    with engine.begin() as connection:
        for table, column in (
            ("idempotent_answers", "created_at"),
            ("documents", "upload_expires_at"),
        ):
            earlier = f"UPDATE {table} SET {column} = {column} - interval '2 days'"  # noqa: S608
            connection.execute(text(earlier))
    assert sweep(committing_app.registry) is None
    with engine.begin() as connection:
        for table in ("idempotent_answers", "documents", "object_deletions"):
            left = text(f"SELECT count(*) FROM {table}")  # noqa: S608
            assert connection.execute(left).scalar() == (
                number if table == "object_deletions" else 0
            )
