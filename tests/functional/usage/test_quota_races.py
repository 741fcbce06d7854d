"""Quotas under concurrent requests: real threads and real commits."""

from typing import Any

import pytest
from sqlalchemy import Engine, text
from webtest import TestApp, TestResponse

import jobtracker
from tests.common.api import Api, statuses
from tests.common.app import dispose_engines
from tests.common.concurrency import THREADS, repeat_concurrently

JOB = {"company_name": "Acme", "job_title": "Engineer"}
RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 10}
ROOM = 3


@pytest.mark.parametrize("keyed", [False, True], ids=["", "Idempotency-Key"])
@pytest.mark.parametrize(
    ("quota", "path", "body"),
    [
        ("jobs", "/jobs", JOB),
        ("notes_per_job", "{job}/notes", {"body": "x"}),
        ("interviews_per_job", "{job}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"}),
        ("history_per_job", "{job}/history", {"status": "saved", "at": "2026-01-01T00:00:00Z"}),
        ("documents", "{other}/documents/presign-upload", RESUME),
        ("document_bytes", "{other}/documents/presign-upload", RESUME),
        ("saved_views", "/saved-views", {"data": {}}),
    ],
)
def test_concurrent_requests_do_not_exceed_a_quota(
    client: Api,
    committing_app: Any,
    job: str,
    monkeypatch: pytest.MonkeyPatch,
    quota: str,
    path: str,
    body: dict[str, Any],
    keyed: bool,
):
    # Documents of different jobs: the quota is the user's.
    jobs = [client.post("/jobs", JOB).headers["Location"] for _ in range(THREADS)]
    used = client.get("/users/me/usage").json[quota]["used"]
    limit = used + ROOM * (10 if quota == "document_bytes" else 1)
    monkeypatch.setitem(committing_app.registry.settings, f"quotas.{quota}", limit)

    def post(number: int) -> TestResponse:
        given = {**body, "name": str(number)} if path == "/saved-views" else body
        headers = {"Idempotency-Key": f"race-{quota}-{number}"} if keyed else {}
        there = path.format(job=job, other=jobs[number])
        return client.post(there, given, headers=headers, status="*")

    answers = repeat_concurrently(post)
    assert statuses(answers) == [201] * ROOM + [409] * (THREADS - ROOM)
    assert client.get("/users/me/usage").json[quota] == {"used": limit, "limit": limit}


def test_concurrent_patches_do_not_exceed_the_quota_of_steps(
    client: Api, engine: Engine, settings: dict[str, str], job: str
):
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    given = {"sqlalchemy.url": url, "quotas.history_per_job": "4"}
    app = jobtracker.main({}, **{**settings, **given})
    client = Api(TestApp(app), client.token)
    words = ["saved", "offer", "onsite", "rejected", "ghosted", "accepted", "archived", "withdrawn"]

    def patch(number: int) -> TestResponse:
        body = {"status": words[number]}
        if number % 4 == 3:
            return client.post(f"{job}/history", body, status="*")
        return client.patch(job, body, status="*")

    answers = statuses(repeat_concurrently(patch))
    assert sum(status < 300 for status in answers) == 3
    assert set(answers) <= {200, 201, 409}
    steps = client.get(f"{job}/history").json
    assert len(steps) == 4
    assert client.get(job).json["status"] == steps[-1]["status"]
    dispose_engines(app)


def test_concurrent_creations_and_deletions_are_counted(client: Api, engine: Engine):
    jobs = [client.post("/jobs", JOB).headers["Location"] for _ in range(THREADS)]

    def change(number: int) -> None:
        for _ in range(5):
            client.post("/jobs", JOB, status=201)
        client.delete(jobs[number])

    repeat_concurrently(change)
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT job_count FROM users")).scalars().all()
    assert rows == [THREADS * 5]
    assert len(client.get("/jobs").json) == THREADS * 5
