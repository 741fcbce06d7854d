"""SIGKILL of the worker while it deletes an account: all of it is deleted, and of no other."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from jobtracker.local.aws import Aws
from tests.common.accounts import rows_of
from tests.common.user_pool import PASSWORD, MotoUserPool
from tests.torture.client import Client, print_figures, unique
from tests.torture.flaky import FlakyGateway
from tests.torture.instance import Instance
from tests.torture.storage import objects, put_objects
from tests.torture.tasks import SECONDS_TO_END, finish, kill_workers

pytestmark = pytest.mark.torture

KILLS = 20
JOBS = int(os.environ.get("JOBTRACKER_TORTURE_JOBS", "300"))
PER_JOB = 4  # documents, and notes
SECONDS_TO_KILL = (0.02, max(0.5, JOBS / 2500))

FILL = (
    """INSERT INTO jobs (user_id, company_name, job_title)
       SELECT %(user_id)s, 'Acme ' || n, 'Engineer' FROM generate_series(1, %(jobs)s) AS n""",
    """INSERT INTO notes (user_id, application_id, body)
       SELECT user_id, id, 'Called, ' || n FROM jobs, generate_series(1, %(per_job)s) AS n
       WHERE user_id = %(user_id)s""",
    """INSERT INTO documents (user_id, application_id, doc_type, original_filename, size_bytes,
                              upload_key, object_key, upload_expires_at, status)
       SELECT user_id, id, 'thank_you', 'x.pdf', 1, 'incoming/' || user_id || '/' || id || '-' || n,
              'documents/' || user_id || '/' || id || '-' || n, now() - interval '1 day', 'uploaded'
       FROM jobs, generate_series(1, %(per_job)s) AS n WHERE user_id = %(user_id)s""",
)


@pytest.fixture(params=[0, 0.5], ids=["gateways answer", "gateways refuse half"])
def share(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture
def s3_gateway(aws: Aws, share: float) -> Iterator[FlakyGateway]:
    with FlakyGateway(aws.port, share) as gateway:
        yield gateway


@pytest.fixture
def cognito_gateway(aws: Aws, share: float) -> Iterator[FlakyGateway]:
    """The access token deletes no account: a task has to."""
    with FlakyGateway(aws.port, share, frozenset({"DeleteUser"})) as gateway:
        yield gateway


@pytest.fixture
def server(
    pserve: Callable[..., Instance],
    url: str,
    own_bucket: str,
    s3_gateway: FlakyGateway,
    cognito_gateway: FlakyGateway,
) -> Instance:
    gateways = {
        "s3.endpoint_url": s3_gateway.url,
        "cognito.endpoint_url": cognito_gateway.url,
        "s3.bucket": own_bucket,
    }
    # Without a worker of its own.
    return pserve({"sqlalchemy.url": url, **gateways}, ini="production.ini")


def repeat(client: Client, method: str, path: str, body: Any, status: int) -> Any:
    """The JSON of the first response with a status; others are those of refused gateways."""
    answer = client.call(method, path, body)
    while answer.status == 503:
        answer = client.call(method, path, body)
    assert answer.status == status, answer.body
    return answer.json


def fill(rows: psycopg.Connection, aws: Aws, bucket: str, user_id: int, jobs: int) -> None:
    parameters = {"user_id": user_id, "jobs": jobs, "per_job": PER_JOB}
    for statement in FILL:
        rows.execute(statement, parameters)
    keys = rows.execute("SELECT object_key FROM documents WHERE user_id = %s", [user_id]).fetchall()
    put_objects(aws, bucket, (key for (key,) in keys))


def test_an_account_is_deleted_by_workers_that_are_killed(
    server: Instance,
    url: str,
    aws: Aws,
    own_bucket: str,
    user_pool: MotoUserPool,
    s3_gateway: FlakyGateway,
    cognito_gateway: FlakyGateway,
) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    address, other_address = f"{unique('a')}@example.com", f"{unique('b')}@example.com"
    tokens = [user_pool.user(each, "x").access_token for each in (address, other_address)]
    client, other = (server.client(token) for token in tokens)
    user_id = repeat(client, "GET", "/users/me", None, 200)["id"]
    other_id = repeat(other, "GET", "/users/me", None, 200)["id"]

    with psycopg.connect(url, autocommit=True) as rows:
        fill(rows, aws, own_bucket, user_id, JOBS)
        fill(rows, aws, own_bucket, other_id, 10)
        of_other = f"documents/{other_id}/"
        before = rows_of(engine, other_id), objects(aws, own_bucket, of_other)
        number = sum(rows_of(engine, user_id).values())
        repeat(client, "DELETE", "/users/me", {"password": PASSWORD}, 202)
        started = time.monotonic()
        kills = kill_workers(server, rows, KILLS, SECONDS_TO_KILL)
        finish(server, rows)
        seconds = time.monotonic() - started

        assert rows_of(engine, user_id).keys() <= {"audit", "tasks", "object_deletions"}
        assert objects(aws, own_bucket, f"documents/{user_id}/") == set()
        assert (rows_of(engine, other_id), objects(aws, own_bucket, of_other)) == before
        query = "SELECT count(*) FROM audit WHERE user_id = %s AND kind = 'account_deleted'"
        assert rows.execute(query, [user_id]).fetchone() == (1,)
        rows.execute("UPDATE object_deletions SET repeat_until = now() - interval '1 day'")
    s3_gateway.share = 0
    sweep = server.program("jobtracker", "sweep", str(server.ini))
    assert sweep.wait(SECONDS_TO_END) == 0
    assert rows_of(engine, user_id).keys() == {"audit", "tasks"}
    engine.dispose()
    with pytest.raises(user_pool.client.exceptions.UserNotFoundException):
        user_pool.client.admin_get_user(UserPoolId=user_pool.pool_id, Username=address)
    other.close()
    client.close()
    calls = {**s3_gateway.calls, **cognito_gateway.calls}
    refused = {name: number for (name, is_refused), number in calls.items() if is_refused}
    print_figures(
        "deletion of an account",
        f"{number} rows, {JOBS * PER_JOB} objects, {kills} kills, {seconds:.0f} s; "
        f"refused: {refused}, of {sum(calls.values())} calls",
    )
