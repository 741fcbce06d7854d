"""After whatever mess: `jobtracker-sweep`, and each object has its row, each row its object."""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from urllib3.exceptions import HTTPError

from jobtracker.local.aws import Aws
from jobtracker.local.postgres import Postgres
from tests.common.proxy import HOST, Proxy
from tests.torture.client import Client, put, tell, unique
from tests.torture.database import migrate
from tests.torture.instance import Instance

pytestmark = pytest.mark.torture

SECONDS_TO_SWEEP = 60


@pytest.fixture
def s3(aws: Aws) -> Iterator[Proxy]:
    with Proxy((HOST, aws.port)) as proxy:
        yield proxy


@pytest.fixture
def url(postgres: Postgres) -> str:
    """A database of the test's own."""
    url = postgres.make_database(unique("sweep"))
    migrate(url)
    return url


@pytest.fixture
def own_bucket(aws: Aws) -> str:
    """A bucket that nobody else puts anything into."""
    name = unique("sweep")
    aws.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def server(pserve: Callable[..., Instance], url: str, s3: Proxy, own_bucket: str) -> Instance:
    return pserve({"sqlalchemy.url": url, "s3.endpoint_url": s3.url, "s3.bucket": own_bucket})


@pytest.fixture
def sign_in(server: Instance, someone: Callable[[], str]) -> Iterator[Callable[[], Client]]:
    """A client of a new user."""
    made: list[Client] = []

    def client() -> Client:
        made.append(server.client(someone()))
        return made[-1]

    yield client
    for each in made:
        each.close()


@pytest.fixture
def client(sign_in: Callable[[], Client]) -> Client:
    return sign_in()


@pytest.fixture
def rows(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def a_day_passes(rows: psycopg.Connection) -> None:
    """What was done was done a day ago."""
    rows.execute("UPDATE documents SET upload_expires_at = upload_expires_at - interval '1 day'")
    rows.execute("UPDATE object_deletions SET repeat_until = repeat_until - interval '1 day'")


def objects(aws: Aws, bucket: str) -> set[str]:
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {each["Key"] for page in pages for each in page.get("Contents", ())}


def keys(rows: psycopg.Connection, what: str) -> set[str]:
    return {key for (key,) in rows.execute(what).fetchall()}


def uploaded(rows: psycopg.Connection) -> set[str]:
    return keys(rows, "SELECT object_key FROM documents WHERE status = 'uploaded'")


def pending(rows: psycopg.Connection) -> set[str]:
    return keys(rows, "SELECT upload_key FROM documents WHERE status = 'pending'")


def sweep(server: Instance, times: int = 1) -> list[str]:
    """What that many sweeps at once print; each must succeed."""
    sweeps = [
        server.program(
            "jobtracker-sweep", str(server.ini), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(times)
    ]
    said = [each.communicate(timeout=SECONDS_TO_SWEEP)[0].decode() for each in sweeps]
    assert [each.returncode for each in sweeps] == [0] * times, said
    return said


def confirmed(client: Client, job: str) -> int:
    """The id of a document that is uploaded and confirmed."""
    document = client.upload(job)
    assert client.confirm(job, document).status == 200
    return document


def make_a_mess(sign_in: Callable[[], Client], server: Instance, s3: Proxy) -> Any:
    """All that can be left lying about. The server is dead then.

    Each part is of a user of its own: what a user does later cleans up what is left of before.

    :returns: what a PUT can still be made with, though its document is gone
    """
    # Announced and uploaded, never confirmed; announced, and nothing more.
    client = sign_in()
    job = client.make_job()
    client.upload(job)
    client.announce(job)
    # Confirmed, then deleted while S3 is gone: a document, and a job with its documents.
    for fault in (s3.refuse, s3.cut, s3.stall):
        client = sign_in()
        kept, gone = client.make_job(), client.make_job()
        document, _other = confirmed(client, kept), confirmed(client, gone)
        client.upload(gone)
        fault(**({"lost": True} if fault == s3.stall else {}))
        for path in (f"{kept}/documents/{document}", gone):
            answer = client.call("DELETE", path)
            assert answer.status == 204, answer
            assert answer.seconds < 5
        s3.passes()
    # A PUT that arrives after its document was deleted, or its job.
    client = sign_in()
    confirmed(client, kept := client.make_job())
    for path in (f"{kept}/documents/{{id}}", job := client.make_job()):
        late = client.announce(kept if "{id}" in path else job)
        client.done("DELETE", path.format(id=late["document"]["id"]))
        assert put(late) == 200
    # A PUT once more, after the confirmation.
    upload = client.announce(job := client.make_job())
    assert put(upload) == 200
    assert client.confirm(job, upload["document"]["id"]).status == 200
    assert put(upload) == 200
    # Jobs that are deleted right before the server is killed.
    client = sign_in()
    jobs = [client.make_job() for _ in range(3)]
    for job in jobs:
        confirmed(client, job)
        client.upload(job)
    s3.stall(lost=True)
    with ThreadPoolExecutor(len(jobs)) as threads:
        deleted = [threads.submit(client.call, "DELETE", job) for job in jobs]
        time.sleep(1)  # S3 is being asked by now
        server.kill()
    # One asks for the objects of all, and is not answered any more.
    assert any(isinstance(each.exception(), HTTPError) for each in deleted)
    s3.passes()
    return late


def test_after_a_mess(
    server: Instance,
    sign_in: Callable[[], Client],
    s3: Proxy,
    aws: Aws,
    own_bucket: str,
    rows: psycopg.Connection,
):
    late = make_a_mess(sign_in, server, s3)
    mess = objects(aws, own_bucket)
    kept = uploaded(rows)
    assert len(mess - uploaded(rows) - pending(rows)) > 10

    said = sweep(server, times=2)
    clean = objects(aws, own_bucket)
    assert uploaded(rows) == kept
    assert len(kept) > 0
    # What may still be confirmed is there: one was announced, and did not come.
    assert kept < clean < kept | pending(rows)
    assert put(late) == 200

    a_day_passes(rows)
    said += sweep(server, times=2)
    swept = objects(aws, own_bucket)
    assert swept == kept == uploaded(rows)
    assert pending(rows) == set()
    a_day_passes(rows)
    said += sweep(server)
    assert keys(rows, "SELECT object_key FROM object_deletions") == set()
    assert objects(aws, own_bucket) == kept == uploaded(rows)
    tell(f"{len(mess)} objects, then {len(clean)}, a day later {len(swept)}. The sweeps said:")
    tell(*(each.strip() for each in said))


def test_what_can_still_come_is_left_alone(
    server: Instance, client: Client, aws: Aws, own_bucket: str, rows: psycopg.Connection
):
    job = client.make_job()
    upload = client.announce(job)
    sweep(server)
    assert put(upload) == 200
    sweep(server)
    assert client.confirm(job, upload["document"]["id"]).status == 200
    sweep(server)
    assert objects(aws, own_bucket) == uploaded(rows) != set()


@pytest.mark.parametrize("fault", ["refuse", "cut", "stall"])
def test_without_s3_nothing_is_forgotten(
    server: Instance,
    client: Client,
    s3: Proxy,
    aws: Aws,
    own_bucket: str,
    rows: psycopg.Connection,
    fault: str,
):
    job = client.make_job()
    confirmed(client, job)
    getattr(s3, fault)()
    client.done("DELETE", job)
    a_day_passes(rows)
    waiting = keys(rows, "SELECT object_key FROM object_deletions")
    assert waiting & objects(aws, own_bucket)
    failed = server.program("jobtracker-sweep", str(server.ini), stderr=subprocess.PIPE)
    _output, said = failed.communicate(timeout=SECONDS_TO_SWEEP)
    assert failed.returncode != 0, said
    assert b"Traceback" not in said
    assert keys(rows, "SELECT object_key FROM object_deletions") == waiting
    s3.passes()
    sweep(server)
    assert objects(aws, own_bucket) == set()
    assert keys(rows, "SELECT object_key FROM object_deletions") == set()
