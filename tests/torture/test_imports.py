"""SIGKILL of the worker while it imports an archive, or undoes that: all comes in once, nothing is
left of what is undone, and each object has a row, and each row an object."""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from jobtracker.local.aws import Aws
from jobtracker.local.process import wait_until
from tests.common.exports import Archive
from tests.common.imports import comparable, put
from tests.common.proxy import Proxy
from tests.common.timeouts import http_request
from tests.torture.client import Client, print_figures
from tests.torture.database import contents
from tests.torture.instance import Instance
from tests.torture.storage import objects, refusing_half
from tests.torture.tasks import Rows, finish, kill_workers, make_due, sweep_deletions, worker

pytestmark = pytest.mark.torture

JOBS, NOTES = int(os.environ.get("JOBTRACKER_TORTURE_JOBS", "300")), 10  # notes of each job
# Of workers during the check that each run begins with, during the rest of it, and during an undo.
KILLS_OF_CHECK, KILLS_OF_RUN, KILLS_OF_UNDO = 4, 20, 20
SECONDS_TO_KILL, SECONDS_TO_KILL_UNDO = (0.02, 1), (0, 0.1)
SECONDS_TO_WORK = 300
BYTES = 1024  # of each document

FILL = (
    """INSERT INTO saved_views (user_id, name, data)
       SELECT %(user)s, 'View ' || n, json_build_object('n', n) FROM generate_series(1, 20) AS n""",
    """INSERT INTO jobs (user_id, company_name, job_title, location, tags, applied_date)
       SELECT %(user)s, 'Acme ' || n, 'Engineer', 'Köln', ARRAY['a', 'b' || n %% 3], '2026-01-02'
       FROM generate_series(1, %(jobs)s) AS n""",
    """UPDATE jobs SET status = 'interviewing' WHERE user_id = %(user)s AND id %% 2 = 0""",
    """UPDATE jobs SET status = 'rejected' WHERE user_id = %(user)s AND id %% 4 = 0""",
    """INSERT INTO notes (user_id, application_id, body)
       SELECT user_id, id, 'Called, ' || n FROM jobs, generate_series(1, %(notes)s) AS n
       WHERE user_id = %(user)s""",
    """INSERT INTO interviews (user_id, application_id, scheduled_at, stage, notes)
       SELECT user_id, id, now() + interval '1 day' * n, 'first', 'With Ms. ' || n
       FROM jobs, generate_series(1, 2) AS n WHERE user_id = %(user)s""",
    # Of some jobs a resume, the one before it, which that has replaced, and a thank-you note.
    """INSERT INTO documents (user_id, application_id, doc_type, original_filename, size_bytes,
           upload_key, object_key, upload_expires_at, status, uploaded_at, trashed_at, trash_reason)
       SELECT user_id, id, CASE WHEN n < 3 THEN 'resume' ELSE 'thank_you' END, n || '.pdf',
           %(bytes)s, 'incoming/' || user_id || '/' || id || '-' || n,
           'documents/' || user_id || '/' || id || '-' || n, now() - interval '1 day', 'uploaded',
           now(), CASE WHEN n = 1 THEN now() END, CASE WHEN n = 1 THEN 'replaced' END
       FROM jobs, generate_series(1, 3) AS n WHERE user_id = %(user)s AND id %% 4 = 1""",
    *(
        f"""UPDATE {table} SET trashed_at = now(), trash_reason = 'user'
            WHERE user_id = %(user)s AND trashed_at IS NULL AND id %% 7 = 0"""  # noqa: S608
        for table in ("saved_views", "notes", "interviews", "documents", "jobs")
    ),
)
# What triggers derive, without ids.
DERIVED = {
    "job_words": "words, texts, tags",
    "note_words": "words",
    "trashed_note_words": "words",
    "job_journeys": "began, status, since, rung, reached, days, edges, steps",
}


@pytest.fixture
def server(pserve: Callable[..., Instance], url: str, s3_proxy: Proxy, own_bucket: str) -> Instance:
    settings = {"sqlalchemy.url": url, "s3.endpoint_url": s3_proxy.url, "s3.bucket": own_bucket}
    return pserve(settings, ini="production.ini")  # without a worker of its own


@pytest.fixture(params=[False, True], ids=["S3 answers", "S3 refuses half"])
def faults(
    request: pytest.FixtureRequest, s3_proxy: Proxy
) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Those of S3 in a block."""
    return lambda: refusing_half(s3_proxy) if request.param else contextlib.nullcontext()


@pytest.fixture
def clients(server: Instance, new_token: Callable[[], str]) -> Iterator[list[Client]]:
    """One whose archive is imported, one that imports it, and another one."""
    made = [server.client(new_token()) for _ in range(3)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def users(clients: list[Client], rows: Rows, aws: Aws, own_bucket: str) -> list[int]:
    """Their ids. The first and the last have something of each kind."""
    ids = [client.done("GET", "/users/me")["id"] for client in clients]
    for user, jobs in ((ids[0], JOBS), (ids[2], 20)):
        values = {"user": user, "jobs": jobs, "notes": NOTES, "bytes": BYTES}
        for statement in FILL:
            rows.execute(statement, values)
    clients[0].done("PUT", "/users/me/settings", {"theme": "light"})
    clients[0].done("PATCH", "/users/me/ui-preferences", {"preferences": {"a": True}})
    s3 = aws.client("s3")

    def store(key: str) -> None:
        content = hashlib.shake_128(key.encode()).digest(BYTES)
        s3.put_object(Bucket=own_bucket, Key=key, Body=content)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(store, keys(rows)))
    return ids


def keys(rows: Rows) -> set[str]:
    """Those of the objects that have to exist."""
    found = rows.execute(
        "SELECT object_key FROM documents WHERE status = 'uploaded'"
        " UNION ALL SELECT object_key FROM exports"
    ).fetchall()
    assert len(found) == len(set(found))
    return {key for (key,) in found}


def derived(rows: Rows, user: int) -> dict[str, Any]:
    return {
        table: sorted(
            rows.execute(
                f"SELECT ({columns})::text FROM {table} WHERE user_id = %s",  # noqa: S608
                [user],
            ).fetchall()
        )
        for table, columns in DERIVED.items()
    }


def export(server: Instance, rows: Rows, client: Client) -> bytes:
    path = f"/exports/{client.done('POST', '/exports', {'documents': True})['id']}"
    finish(server, rows)
    url = client.done("GET", f"{path}/presign-download")["download_url"]
    return http_request("GET", url).data


def begin(client: Client, archive: bytes) -> str:
    """The path of an import whose run is queued."""
    made = client.done("POST", "/imports", {"filename": "a.zip", "size_bytes": len(archive)})
    put(made, archive)
    path = f"/imports/{made['import']['id']}"
    client.done("POST", f"{path}/run", {})
    return path


def work_until(server: Instance, rows: Rows, client: Client, path: str, done: int) -> None:
    """Let a worker run an import until it is as far as that, and so over its check."""

    def is_so_far() -> bool:
        make_due(rows, ["queued"])
        progress = client.done("GET", path)["progress"]
        return progress["total"] is not None and progress["done"] >= done

    with worker(server):
        assert wait_until(is_so_far, SECONDS_TO_WORK)


def kill_during_run(server: Instance, rows: Rows, client: Client, path: str, number: int) -> int:
    kills = kill_workers(server, rows, KILLS_OF_CHECK, SECONDS_TO_KILL)
    work_until(server, rows, client, path, 0)
    return kills + kill_workers(server, rows, number, SECONDS_TO_KILL)


def undo(server: Instance, rows: Rows, client: Client, path: str) -> int:
    """Undo an import by workers that are killed; return the number of kills."""
    client.done("DELETE", path)
    kills = kill_workers(server, rows, KILLS_OF_UNDO, SECONDS_TO_KILL_UNDO)
    finish(server, rows)
    assert client.done("GET", path)["state"] == "undone"
    assert (client.done("GET", "/jobs"), client.done("GET", "/saved-views")) == ([], [])
    return kills


def test_an_archive_is_imported_once_by_workers_that_are_killed(
    server: Instance,
    clients: list[Client],
    users: list[int],
    rows: psycopg.Connection[Any],
    aws: Aws,
    own_bucket: str,
    faults: Callable[[], contextlib.AbstractContextManager[None]],
):
    source, target, _other = clients
    archive = export(server, rows, source)
    before, of_other = contents(rows, users[2]), f"documents/{users[2]}/"
    objects_before = objects(aws, own_bucket, of_other)

    path = begin(target, archive)
    started = time.monotonic()
    with faults():
        kills = kill_during_run(server, rows, target, path, KILLS_OF_RUN)
        finish(server, rows)
    seconds = time.monotonic() - started
    made = target.done("GET", path)
    assert made["state"] == "done", made
    counts = {**Archive(archive).manifest["counts"], "settings": 0, "preferences": 0}
    assert made["report"]["made"] == {kind: number for kind, number in counts.items() if number}
    assert derived(rows, users[1]) == derived(rows, users[0])
    copy = comparable(Archive(export(server, rows, target)))
    for kind, of_kind in comparable(Archive(archive)).items():
        assert copy[kind] == of_kind, kind
    sweep_deletions(server, rows)
    assert objects(aws, own_bucket) == keys(rows)

    # Once more.
    once = contents(rows, users[1])
    again = begin(target, archive)
    finish(server, rows)
    assert target.done("GET", again)["report"]["made"] == {}
    assert contents(rows, users[1]) == once

    with faults():
        kills_of_undo = undo(server, rows, target, path)
    sweep_deletions(server, rows)
    assert objects(aws, own_bucket) == keys(rows)
    assert contents(rows, users[2]) == before
    assert objects(aws, own_bucket, of_other) == objects_before
    print_figures(
        f"import of {len(archive)} bytes, {counts}: {kills} kills, {seconds:.0f} s",
        f"its undo: {kills_of_undo} kills",
    )


def test_an_import_is_undone_under_way_by_workers_that_are_killed(
    server: Instance,
    clients: list[Client],
    users: list[int],
    rows: psycopg.Connection[Any],
    aws: Aws,
    own_bucket: str,
    faults: Callable[[], contextlib.AbstractContextManager[None]],
):
    source, target, _other = clients
    archive = export(server, rows, source)
    before = contents(rows, users[2])
    path = begin(target, archive)
    with faults():
        kills = kill_during_run(server, rows, target, path, KILLS_OF_RUN // 2)
        work_until(server, rows, target, path, JOBS // 4)  # no document has its file yet
        progress = target.done("GET", path)["progress"]
        kills_of_undo = undo(server, rows, target, path)
    # Later, when documents without a file have expired.
    expired = "UPDATE documents SET upload_expires_at = now() - interval '1 day'"
    rows.execute(f"{expired} WHERE status = 'pending'")
    server.program("jobtracker-sweep", str(server.ini)).wait()
    sweep_deletions(server, rows)
    assert rows.execute("SELECT FROM documents WHERE status = 'pending'").fetchone() is None
    assert objects(aws, own_bucket) == keys(rows)
    assert contents(rows, users[2]) == before
    print_figures(f"{kills} kills, undone at {progress}: {kills_of_undo} kills")
