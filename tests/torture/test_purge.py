"""Killed workers empty a trash of many jobs with documents, also while S3 refuses half of all
calls: in the end each object has a row, and each row an object."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from jobtracker.local.aws import Aws
from tests.torture.client import print_figures
from tests.torture.database import TABLES, contents
from tests.torture.flaky import FlakyGateway
from tests.torture.instance import Instance
from tests.torture.storage import objects, put_objects
from tests.torture.tasks import finish, is_finished, kill_workers, sweep_deletions

pytestmark = pytest.mark.torture

JOBS = int(os.environ.get("JOBTRACKER_TORTURE_JOBS", "1000"))
DOCUMENTS = 4  # of each job
KILLS = 20
SECONDS_TO_KILL = (0, JOBS / 5000)

MAKE_JOBS = """
    INSERT INTO jobs (user_id, company_name, job_title)
    SELECT %(user)s, 'Acme', 'x' FROM generate_series(1, %(jobs)s)
"""
MAKE_ROWS = """
    WITH notes AS (
        INSERT INTO notes (user_id, application_id, body)
        SELECT user_id, id, 'x' FROM jobs WHERE user_id = %(user)s
    )
    INSERT INTO documents (user_id, application_id, doc_type, original_filename, size_bytes,
        upload_key, object_key, upload_expires_at, status, uploaded_at)
    SELECT user_id, id, 'thank_you', 'x', 1, 'incoming/' || user_id || '/' || id || '-' || n,
        'documents/' || user_id || '/' || id || '-' || n, now() - interval '1 day', 'uploaded',
        now()
    FROM jobs, generate_series(1, %(documents)s) AS n WHERE user_id = %(user)s
"""
# Some by themselves, some with their jobs, and some of the latter deleted before.
TO_TRASH = """
    UPDATE documents SET trashed_at = now(), trash_reason = 'user'
    WHERE user_id = %(user)s AND id %% 5 = 0;
    UPDATE jobs SET trashed_at = now(), trash_reason = 'user'
    WHERE user_id = %(user)s AND id %% %(one_in)s = 0
"""


@pytest.fixture(params=[0, 0.5], ids=["S3 answers", "S3 refuses half"])
def s3_gateway(aws: Aws, request: pytest.FixtureRequest) -> Iterator[FlakyGateway]:
    with FlakyGateway(aws.port, request.param) as gateway:
        yield gateway


@pytest.fixture
def server(
    pserve: Callable[..., Instance], url: str, s3_gateway: FlakyGateway, own_bucket: str
) -> Instance:
    settings = {"s3.endpoint_url": s3_gateway.url, "s3.bucket": own_bucket}
    return pserve({"sqlalchemy.url": url, **settings}, ini="production.ini")


def make_trash(rows: psycopg.Connection[Any], user: int, jobs: int, one_in: int) -> None:
    values = {"user": user, "jobs": jobs, "documents": DOCUMENTS}
    rows.execute(MAKE_JOBS, values)
    rows.execute(MAKE_ROWS, values)
    for statement in TO_TRASH.split(";"):
        rows.execute(statement, {"user": user, "one_in": one_in})


def one(rows: psycopg.Connection[Any], query: str, *values: Any) -> Any:
    found = rows.execute(query, values).fetchone()
    return None if found is None else found[0]


def keys(rows: psycopg.Connection[Any]) -> set[str]:
    return {key for (key,) in rows.execute("SELECT object_key FROM documents").fetchall()}


def test_killed_workers_purge_all_and_nothing_else(
    server: Instance,
    new_token: Callable[[], str],
    aws: Aws,
    own_bucket: str,
    rows: psycopg.Connection[Any],
    s3_gateway: FlakyGateway,
):
    clients = [server.client(new_token()) for _ in range(2)]
    user, other = (client.done("GET", "/users/me")["id"] for client in clients)
    make_trash(rows, user, JOBS, one_in=1)
    make_trash(rows, other, 50, one_in=2)
    assert put_objects(aws, own_bucket, keys(rows)) == DOCUMENTS * (JOBS + 50)
    before = contents(rows, other)
    answer = clients[0].call("DELETE", "/trash")
    assert answer.status == 202
    for client in clients:
        client.close()
    server.kill()

    began, progress = time.monotonic(), [0]

    def after_kill(_kills: int) -> None:
        progress.append(one(rows, "SELECT done FROM tasks"))

    kills = kill_workers(server, rows, KILLS, SECONDS_TO_KILL, after_kill)
    assert not is_finished(rows)
    finish(server, rows)
    after_kill(kills)
    print_figures(
        f"{kills} kills in {time.monotonic() - began:.0f} s, progress {progress}, calls of S3 by"
        f" whether it refused them: {dict(s3_gateway.calls)}"
    )
    assert kills == KILLS
    assert progress == sorted(progress)
    assert progress[-1] == one(rows, "SELECT total FROM tasks")
    assert contents(rows, user) == dict.fromkeys(TABLES)
    assert contents(rows, other) == before
    # No object without a row: those of the task are deleted, and the sweeper repeats that.
    assert objects(aws, own_bucket) == keys(rows)
    sweep_deletions(server, rows)
    assert objects(aws, own_bucket) == keys(rows)
    assert contents(rows, other) == before
