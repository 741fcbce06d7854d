"""Concurrent restorations, purges and deletions: real threads and real commits."""

import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker.db.connections import transaction
from jobtracker.db.trash import ParentInTrash
from jobtracker.errors import NotFound
from jobtracker.local.process import wait_until
from jobtracker.quotas import QuotaExceeded
from jobtracker.tasks.queries import enqueue
from jobtracker.trash.purging import PURGE
from tests.common.api import Api
from tests.common.concurrency import THREADS, repeat_concurrently, run_concurrently
from tests.common.tasks import run_tasks
from tests.common.trash_model import tree

JOB = {"company_name": "Acme", "job_title": "Engineer"}
BODIES = {
    "notes": {"body": "called"},
    "interviews": {"scheduled_at": "2026-11-30T13:00:00Z"},
    "documents/presign-upload": {"doc_type": "thank_you", "filename": "x", "size_bytes": 1},
}
QUOTAS = {
    "notes": "notes_per_job",
    "interviews": "interviews_per_job",
    "documents/presign-upload": "documents",
}
ROOM = 3


@pytest.fixture
def operate(committing_app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], str]:
    """Calls an operation with Ada's root, commits, and returns what became of it."""
    # Of another thread than the main one.
    monkeypatch.setattr("jobtracker.pshell.signal.signal", lambda *_args: None)

    def call(operation: Callable[[Any], Any]) -> str:
        with tree(committing_app, "ada@example.com") as env:
            try:
                operation(env["root"])
            except (QuotaExceeded, ParentInTrash, NotFound, KeyError) as error:
                return type(error).__name__
            env["commit"]()
            return "done"

    return call


def number_of(location: str) -> int:
    return int(location.rpartition("/")[2])


def test_concurrent_restorations_of_jobs_do_not_exceed_the_quota(
    client: Api, committing_app: Any, operate: Any, monkeypatch: pytest.MonkeyPatch
):
    jobs = [client.post("/jobs", JOB).headers["Location"] for _ in range(THREADS)]
    for job in jobs:
        client.delete(job)
    monkeypatch.setitem(committing_app.registry.settings, "quotas.jobs", ROOM)

    def restore(n: int) -> str:
        if n % 2:
            return operate(lambda root: root["jobs"].restore(number_of(jobs[n])))
        status = client.post("/jobs", JOB, status="*").status_code
        return "done" if status == 201 else "QuotaExceeded"

    results = repeat_concurrently(restore)
    assert sorted(results) == ["QuotaExceeded"] * (THREADS - ROOM) + ["done"] * ROOM
    assert client.get("/users/me/usage").json["jobs"]["used"] == ROOM


@pytest.mark.parametrize("path", BODIES)
def test_concurrent_restorations_below_jobs_do_not_exceed_the_quota(
    client: Api,
    committing_app: Any,
    operate: Any,
    job: str,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
):
    rows = [client.post(f"{job}/{path}", BODIES[path]).headers["Location"] for _ in range(5)]
    for row in rows:
        client.delete(row)
    monkeypatch.setitem(committing_app.registry.settings, f"quotas.{QUOTAS[path]}", ROOM)
    name = path.partition("/")[0]

    def restore(n: int) -> str:
        if n < len(rows):
            job_id, row_id = number_of(job), number_of(rows[n])
            return operate(lambda root: root["jobs"][job_id][name].restore(row_id))
        status = client.post(f"{job}/{path}", BODIES[path], status="*").status_code
        return "done" if status == 201 else "QuotaExceeded"

    results = repeat_concurrently(restore)
    assert sorted(results) == ["QuotaExceeded"] * (THREADS - ROOM) + ["done"] * ROOM
    assert len(client.get(f"{job}/{name}").json) == ROOM


def test_restored_job_with_documents_beyond_the_quota_is_refused(
    client: Api, committing_app: Any, operate: Any, job: str, monkeypatch: pytest.MonkeyPatch
):
    path = "documents/presign-upload"
    other = client.post("/jobs", JOB).headers["Location"]
    for at in (job, job, other):
        client.post(f"{at}/{path}", BODIES[path])
    client.delete(job)
    monkeypatch.setitem(committing_app.registry.settings, "quotas.documents", 2)
    assert operate(lambda root: root["jobs"].restore(number_of(job))) == "QuotaExceeded"
    client.refused(404, "GET", job)
    client.delete(other)
    assert operate(lambda root: root["jobs"].restore(number_of(job))) == "done"
    assert client.get("/users/me/usage").json["documents"]["used"] == 2


def test_concurrent_writes_in_and_out_of_the_trash_do_not_deadlock(
    client: Api, engine: Engine, operate: Any, job: str
):
    notes = [
        client.post(f"{job}/notes", {"body": f"called {n}"}).headers["Location"] for n in range(8)
    ]
    for note in notes[:4]:
        client.delete(note)
    job_id, ids = number_of(job), [number_of(note) for note in notes]

    def of_notes(root: Any) -> Any:
        return root["jobs"][job_id]["notes"]

    def purge_all(_root: Any) -> None:
        """As the task does: without a lock on the job."""
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM notes WHERE trashed_at IS NOT NULL"))

    def request(method: str, path: str, body: Any = None) -> str:
        status = client.call(method, path, body, status="*").status_code
        return "done" if status in (201, 204, 404) else str(status)

    for _ in range(3):
        calls: list[Callable[[], str]] = [
            functools.partial(operate, lambda root: of_notes(root).restore(ids[0])),
            functools.partial(operate, lambda root: of_notes(root).restore(ids[1])),
            functools.partial(operate, lambda root: of_notes(root).purge(ids[2])),
            functools.partial(operate, purge_all),
            functools.partial(request, "DELETE", notes[0]),
            functools.partial(request, "DELETE", f"{notes[5]}?permanent=true"),
            functools.partial(request, "POST", f"{job}/notes", {"body": "called again"}),
            functools.partial(request, "DELETE", job),
            functools.partial(operate, lambda root: root["jobs"].restore(job_id)),
        ]
        assert set(run_concurrently(calls)) <= {"done", "NotFound", "KeyError", "ParentInTrash"}
        with contextlib.suppress(NotFound):
            operate(lambda root: root["jobs"].restore(job_id))
    live = {note["id"] for note in client.get(f"{job}/notes").json}
    with engine.begin() as connection:
        found = connection.execute(
            text("""
                SELECT id FROM note_words JOIN notes USING (user_id)
                WHERE id = ANY (note_ids) AND trashed_at IS NULL
            """)
        )
        assert sorted(found.scalars()) == sorted(live)
        counts = text("SELECT job_count, (SELECT count(*) FROM jobs WHERE trashed_at IS NULL)")
        job_count, number = connection.execute(text(f"{counts} FROM users")).one()
        assert job_count == number


def test_worker_that_purges_a_job_does_not_deadlock_with_the_deletion_of_another_one(
    client: Api, committing_app: Any, engine: Engine
):
    jobs = [client.post("/jobs", JOB).headers["Location"] for _ in range(2)]
    client.delete(f"{jobs[0]}?permanent=true")
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def is_waiting() -> bool:
        with engine.connect() as connection:
            return connection.scalar(waiting) == 1

    with ThreadPoolExecutor(1) as threads:
        with transaction(committing_app.registry["db_sessions"]) as deletion:
            update = "UPDATE users SET job_count = job_count RETURNING id"  # as the trigger of jobs
            (user_id,) = deletion.execute(update).fetchone() or (0,)
            worker = threads.submit(run_tasks, committing_app)
            assert wait_until(is_waiting, seconds=20)
            enqueue(deletion, user_id, PURGE)
        worker.result()
    assert client.get(jobs[1]).json["company_name"] == "Acme"
