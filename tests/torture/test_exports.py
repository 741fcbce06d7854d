"""SIGKILL of the worker while it writes an export: it ends complete, or with nothing left."""

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import psycopg
import pytest

from jobtracker.local.aws import Aws
from tests.common.timeouts import http_request
from tests.common.user_pool import MotoUserPool
from tests.torture.client import Client, print_figures, unique
from tests.torture.instance import Instance
from tests.torture.tasks import finish, kill_workers

pytestmark = pytest.mark.torture

KILLS = 20
# Notes are those of each job.
MODERATE = {"jobs": 2000, "notes": 10, "documents": 80, "bytes": 256 * 1024}
LARGE = {"jobs": 5000, "notes": 10, "documents": 70, "bytes": 5 * 1024 * 1024}
MAX_MEMORY = 300 * 1024 * 1024
SECONDS_TO_KILL = (0.02, 2)

FILL = (
    """INSERT INTO jobs (user_id, company_name, job_title)
       SELECT %(user_id)s, 'Acme ' || n, 'Engineer' FROM generate_series(1, %(jobs)s) AS n""",
    """INSERT INTO notes (user_id, application_id, body)
       SELECT user_id, id, 'Called, ' || n FROM jobs, generate_series(1, %(notes)s) AS n""",
    """INSERT INTO documents (user_id, application_id, doc_type, original_filename, size_bytes,
                              upload_key, object_key, upload_expires_at, status)
       SELECT user_id, id, 'thank_you', 'x.pdf', %(bytes)s, 'incoming/' || id,
              'documents/' || user_id || '/' || id, now() - interval '1 day', 'uploaded'
       FROM jobs ORDER BY id LIMIT %(documents)s""",
)


@pytest.fixture
def server(pserve: Callable[..., Instance], url: str, own_bucket: str) -> Instance:
    # Without a worker of its own.
    return pserve({"sqlalchemy.url": url, "s3.bucket": own_bucket}, ini="production.ini")


def fill(
    rows: psycopg.Connection, s3: Any, bucket: str, user_id: int, numbers: dict[str, int]
) -> dict[int, str]:
    """The SHA-256 of the files by the id of their document."""
    for statement in FILL:
        rows.execute(statement, {"user_id": user_id, **numbers})
    found = rows.execute("SELECT id, object_key FROM documents").fetchall()

    def put(row: Any) -> tuple[int, str]:
        content = os.urandom(numbers["bytes"])
        s3.put_object(Bucket=bucket, Key=row[1], Body=content)
        return row[0], hashlib.sha256(content).hexdigest()

    with ThreadPoolExecutor(4) as threads:
        return dict(threads.map(put, found))


def in_bucket(s3: Any, bucket: str) -> tuple[int, int]:
    """The numbers of exports and of incomplete uploads."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="exports/").get("Contents", [])
    return len(listed), len(s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


@pytest.mark.parametrize("is_deleted", [False, True], ids=["kept", "deleted by the user"])
def test_an_export_is_written_by_workers_that_are_killed(
    server: Instance, url: str, aws: Aws, own_bucket: str, user_pool: MotoUserPool, is_deleted: bool
) -> None:
    s3 = aws.client("s3")
    client = server.client(user_pool.user(f"{unique('x')}@example.com", "x").access_token)

    with psycopg.connect(url, autocommit=True) as rows:
        user_id = client.call("GET", "/users/me").json["id"]
        files = fill(rows, s3, own_bucket, user_id, MODERATE)
        path = f"/exports/{client.call('POST', '/exports', {'documents': True}).json['id']}"
        started, left = time.monotonic(), set()

        def after_kill(kills: int) -> None:
            left.add(in_bucket(s3, own_bucket))
            if is_deleted and kills == KILLS // 2:
                assert client.call("DELETE", path).status == 204

        kills = kill_workers(server, rows, KILLS, SECONDS_TO_KILL, after_kill)
        assert {uploads for _objects, uploads in left} <= {0, 1}, left
        finish(server, rows)
        seconds = time.monotonic() - started
    if is_deleted:
        assert in_bucket(s3, own_bucket) == (0, 0)
        assert client.call("GET", "/exports").json == []
    else:
        assert in_bucket(s3, own_bucket) == (1, 0)
        check(client, path, files, MODERATE)
    print_figures("export", f"{kills} kills, {seconds:.0f} s, in the bucket: {sorted(left)}")
    client.close()


def test_memory_does_not_grow_with_the_export(
    server: Instance, url: str, aws: Aws, own_bucket: str, user_pool: MotoUserPool
) -> None:
    client = server.client(user_pool.user(f"{unique('x')}@example.com", "x").access_token)
    with psycopg.connect(url, autocommit=True) as rows:
        user_id = client.call("GET", "/users/me").json["id"]
        files = fill(rows, aws.client("s3"), own_bucket, user_id, LARGE)
    path = f"/exports/{client.call('POST', '/exports', {'documents': True}).json['id']}"
    started = time.monotonic()
    sweep = server.program("jobtracker", "sweep", str(server.ini))
    _pid, status, usage = os.wait4(sweep.pid, 0)
    sweep.returncode = os.waitstatus_to_exitcode(status)
    assert sweep.returncode == 0
    seconds, memory = time.monotonic() - started, usage.ru_maxrss * 1024
    check(client, path, files, LARGE)
    client.close()
    print_figures("large export", f"{LARGE}: {memory / 2**20:.0f} MiB, {seconds:.0f} s")
    assert memory <= MAX_MEMORY


def check(client: Client, path: str, files: dict[int, str], expected: dict[str, int]) -> None:
    """Check that an export is complete."""
    row = client.call("GET", path).json
    assert row["state"] == "done"
    data = http_request(
        "GET", client.call("GET", f"{path}/presign-download").json["download_url"]
    ).data
    assert (len(data), hashlib.sha256(data).hexdigest()) == (row["size_bytes"], row["sha256"])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        manifest = orjson.loads(archive.read("manifest.json"))
        jobs = expected["jobs"]
        numbers = {"jobs": jobs, "notes": jobs * expected["notes"], "documents": len(files)}
        assert manifest["counts"] == row["counts"]
        assert {name: row["counts"][name] for name in numbers} == numbers
        for document_id, digest in files.items():
            content = archive.read(f"documents/{document_id}/x.pdf")
            assert hashlib.sha256(content).hexdigest() == digest
