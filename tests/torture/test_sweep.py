"""jobtracker-sweep after faults and kills: each object has a row, and each row an object."""

import contextlib
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import psycopg
import pytest
from urllib3.exceptions import HTTPError

from jobtracker.local.aws import Aws
from tests.common.proxy import Proxy
from tests.torture.client import Client, print_figures, put
from tests.torture.instance import Instance
from tests.torture.storage import objects

pytestmark = pytest.mark.torture

SECONDS_TO_SWEEP = 180


@pytest.fixture
def server(pserve: Callable[..., Instance], url: str, s3_proxy: Proxy, own_bucket: str) -> Instance:
    settings = {"sqlalchemy.url": url, "s3.endpoint_url": s3_proxy.url, "s3.bucket": own_bucket}
    return pserve(settings, ini="production.ini")  # without a worker of its own


@pytest.fixture
def client(sign_in: Callable[[], Client]) -> Client:
    return sign_in()


def shift_times(rows: psycopg.Connection) -> None:
    """Shift all timestamps by a day into the past."""
    rows.execute("UPDATE documents SET upload_expires_at = upload_expires_at - interval '1 day'")
    rows.execute("UPDATE object_deletions SET repeat_until = repeat_until - interval '1 day'")


def keys(rows: psycopg.Connection, what: str) -> set[str]:
    return {key for (key,) in rows.execute(what).fetchall()}


# Not of jobs that a task deletes.
OF_JOBS = """documents JOIN jobs ON (jobs.user_id, jobs.id) = (documents.user_id, application_id)
             WHERE jobs.trash_reason IS NULL"""


def uploaded(rows: psycopg.Connection) -> set[str]:
    return keys(
        rows,
        f"SELECT object_key FROM {OF_JOBS} AND documents.status = 'uploaded'",  # noqa: S608
    )


def pending(rows: psycopg.Connection) -> set[str]:
    return keys(
        rows,
        f"SELECT upload_key FROM {OF_JOBS} AND documents.status = 'pending'",  # noqa: S608
    )


def sweep(server: Instance, times: int = 1) -> list[str]:
    """The output of concurrent sweeps, each of which must succeed."""
    sweeps = [
        server.program(
            "jobtracker-sweep", str(server.ini), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(times)
    ]
    output = [each.communicate(timeout=SECONDS_TO_SWEEP)[0].decode() for each in sweeps]
    assert [each.returncode for each in sweeps] == [0] * times, output
    return output


def confirmed(client: Client, job: str) -> int:
    """The id of a document that is uploaded and confirmed."""
    document = client.upload(job)
    assert client.confirm(job, document).status == 200
    return document


def create_orphaned_objects(
    sign_in: Callable[[], Client], server: Instance, s3_proxy: Proxy
) -> Any:
    """Leave objects without rows of every kind. The server is killed at the end.

    Each part is of another user, since later requests of a user process earlier deletions.

    :returns: an upload whose URL is still valid, though its document is deleted
    """
    # Uploaded and not confirmed; presigned only.
    client = sign_in()
    job = client.make_job()
    client.upload(job)
    client.presign(job)
    # Confirmed, then deleted during a fault of S3: a document, and a job with its documents.
    for fault in (s3_proxy.refuse, s3_proxy.cut, s3_proxy.stall):
        client = sign_in()
        kept, gone = client.make_job(), client.make_job()
        document, _other = confirmed(client, kept), confirmed(client, gone)
        client.upload(gone)
        fault(**({"lost": True} if fault == s3_proxy.stall else {}))
        for path in (f"{kept}/documents/{document}", gone):
            answer = client.call("DELETE", f"{path}?permanent=true")
            assert answer.status == 204, answer
            assert answer.seconds < 5
        s3_proxy.forward()
    # A PUT after the deletion of its document or job.
    client = sign_in()
    confirmed(client, kept := client.make_job())
    for path in (f"{kept}/documents/{{id}}", job := client.make_job()):
        late = client.presign(kept if "{id}" in path else job)
        client.done("DELETE", f"{path.format(id=late['document']['id'])}?permanent=true")
        assert put(late) == 200
    # A second PUT after the confirmation.
    upload = client.presign(job := client.make_job())
    assert put(upload) == 200
    assert client.confirm(job, upload["document"]["id"]).status == 200
    assert put(upload) == 200
    # Documents deleted just before the server is killed.
    client = sign_in()
    documents = []
    for job in (client.make_job() for _ in range(3)):
        documents.append(f"{job}/documents/{confirmed(client, job)}?permanent=true")
        client.upload(job)
    s3_proxy.stall(lost=True)
    with ThreadPoolExecutor(len(documents)) as threads:
        deleted = [threads.submit(client.call, "DELETE", path) for path in documents]
        time.sleep(1)  # S3 has been called by now
        assert server.process is not None
        workers = psutil.Process(server.process.pid).children(recursive=True)
        server.kill()
        for each in workers:  # which would end a moment later
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    # One asks for the objects of all, and is not answered any more.
    assert any(isinstance(each.exception(), HTTPError) for each in deleted)
    s3_proxy.forward()
    return late


def test_sweep_leaves_each_object_a_row_and_each_row_an_object(
    server: Instance,
    sign_in: Callable[[], Client],
    s3_proxy: Proxy,
    aws: Aws,
    own_bucket: str,
    rows: psycopg.Connection,
):
    late = create_orphaned_objects(sign_in, server, s3_proxy)
    orphans = objects(aws, own_bucket)
    kept = uploaded(rows)
    assert len(orphans - uploaded(rows) - pending(rows)) > 10

    # A deletion is repeated ten minutes later.
    rows.execute("UPDATE object_deletions SET attempted_at = attempted_at - interval '10 minutes'")
    output = sweep(server, times=2)
    clean = objects(aws, own_bucket)
    assert uploaded(rows) == kept
    assert len(kept) > 0
    # Uploads that may still be confirmed are kept: one was presigned, and not uploaded.
    assert kept < clean < kept | pending(rows)
    assert put(late) == 200

    shift_times(rows)
    output += sweep(server, times=2)
    swept = objects(aws, own_bucket)
    assert swept == kept == uploaded(rows)
    assert pending(rows) == set()
    shift_times(rows)
    output += sweep(server)
    assert keys(rows, "SELECT object_key FROM object_deletions") == set()
    assert objects(aws, own_bucket) == kept == uploaded(rows)
    print_figures(
        f"{len(orphans)} objects, then {len(clean)}, a day later {len(swept)}. The sweeps output:"
    )
    print_figures(*(each.strip() for each in output))


def test_sweep_keeps_uploads_that_can_still_arrive(
    server: Instance, client: Client, aws: Aws, own_bucket: str, rows: psycopg.Connection
):
    job = client.make_job()
    upload = client.presign(job)
    sweep(server)
    assert put(upload) == 200
    sweep(server)
    assert client.confirm(job, upload["document"]["id"]).status == 200
    sweep(server)
    assert objects(aws, own_bucket) == uploaded(rows) != set()


@pytest.mark.parametrize("fault", ["refuse", "cut", "stall"])
def test_sweep_without_s3_deletes_nothing(
    server: Instance,
    client: Client,
    s3_proxy: Proxy,
    aws: Aws,
    own_bucket: str,
    rows: psycopg.Connection,
    fault: str,
):
    job = client.make_job()
    document = confirmed(client, job)
    getattr(s3_proxy, fault)()
    client.done("DELETE", f"{job}/documents/{document}?permanent=true")
    shift_times(rows)
    waiting = keys(rows, "SELECT object_key FROM object_deletions")
    assert waiting & objects(aws, own_bucket)
    failed = server.program("jobtracker-sweep", str(server.ini), stderr=subprocess.PIPE)
    _output, output = failed.communicate(timeout=SECONDS_TO_SWEEP)
    assert failed.returncode != 0, output
    assert b"Traceback" not in output
    assert keys(rows, "SELECT object_key FROM object_deletions") == waiting
    s3_proxy.forward()
    sweep(server)
    assert objects(aws, own_bucket) == set()
    assert keys(rows, "SELECT object_key FROM object_deletions") == set()
