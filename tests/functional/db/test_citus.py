"""What only a Citus cluster tells: with CITUS_URL, all other functional tests run on it as well."""

from typing import Any

import pytest
from pyramid.threadlocal import manager
from sqlalchemy import Engine, text
from webtest import TestApp

from jobtracker.db.base import Base
from jobtracker.sweep import sweep
from tests.common import citus
from tests.common.api import Api
from tests.common.user_pool import MotoUserPool

pytestmark = pytest.mark.skipif(citus.URL is None, reason=citus.WITHOUT_URL)


def test_tables_of_users_are_distributed_together_and_others_are_local(engine: Engine):
    with engine.connect() as connection:
        rows = connection.execute(
            text("""SELECT table_name::text, citus_table_type, distribution_column, colocation_id
                    FROM citus_tables""")
        )
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


def test_statement_of_a_request_on_several_shards_is_found(
    committing_app: Any, multi_shard_statements: list[str]
):
    class Request:
        method, path = "GET", "/somewhere"

    sessions = committing_app.registry["db_sessions"]
    manager.push({"request": Request(), "registry": committing_app.registry})
    try:
        with sessions() as session:
            session.execute(text("SELECT count(*) FROM users"))
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
