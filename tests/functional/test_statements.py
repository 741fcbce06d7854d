"""How many SQL statements each endpoint makes, the user included, whatever the number of rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import urllib3
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session

from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note
from tests.api import Api
from tests.pool import PASSWORD, Pool


@pytest.fixture
def statements(connection: Connection) -> Any:
    @contextmanager
    def counted() -> Iterator[list[str]]:
        seen: list[str] = []

        def see(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            # Savepoints stand for the BEGIN and COMMIT of production.
            if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
                seen.append(statement)

        event.listen(connection, "before_cursor_execute", see)
        try:
            yield seen
        finally:
            event.remove(connection, "before_cursor_execute", see)

    return counted


@pytest.fixture
def job_id(ada: Api, db: Session) -> int:
    """A job with many notes, among many jobs."""
    job_id = ada.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"}).json["id"]
    user_id = ada.get("/users/me").json["id"]
    db.add_all(Job(user_id=user_id, company_name="Acme", job_title="x") for _ in range(200))
    db.add_all(Note(user_id=user_id, application_id=job_id, body="x") for _ in range(200))
    db.commit()
    return job_id


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/health", 0),
        ("/users/me", 1),
        ("/users/me/settings", 1),
        ("/jobs", 2),
        ("/jobs?q=a&status=applied&tag=b&tag_q=c", 2),
        ("/jobs/{job_id}", 3),
        ("/jobs/{job_id}/notes", 3),
        ("/jobs/{job_id}/notes/{note_id}", 3),
        ("/jobs/{job_id}/documents", 3),
        ("/jobs/{job_id}/activity", 3),
        ("/jobs/{job_id}/history", 3),
        ("/jobs/{job_id}/details", 4),
        ("/jobs/board", 2),
        ("/jobs/search?q=", 1),
        ("/jobs/search?q=acme%20x", 2),
        ("/jobs/stats/funnel", 2),
        ("/jobs/metrics/activity", 2),
    ],
)
def test_reads(ada: Api, job_id: int, statements: Any, path: str, count: int):
    note_id = ada.get(f"/jobs/{job_id}/notes").json[0]["id"]
    with statements() as seen:
        ada.get(path.format(job_id=job_id, note_id=note_id))
    assert len(seen) == count, seen


def test_writes(ada: Api, job_id: int, statements: Any):
    answers: list[Any] = []

    def cost(method: str, path: str, body: Any = None) -> int:
        with statements() as seen:
            answers.append(ada.call(method, path, body))
        return len(seen)

    job = f"/jobs/{job_id}"
    settings = {"auto_refresh_seconds": 10}
    assert cost("PUT", "/users/me/settings", settings) == 2
    assert cost("PUT", "/users/me/settings", settings) == 1
    assert cost("POST", "/jobs", {"company_name": "Acme", "job_title": "x"}) == 2
    assert cost("PATCH", job, {"tags": ["a"], "status": "offer"}) == 3
    assert cost("PATCH", job, {"tags": ["a"], "status": "offer"}) == 2
    assert cost("POST", f"{job}/notes", {"body": "x"}) == 4
    assert cost("DELETE", f"{job}/notes/{answers[-1].json['id']}") == 5

    assert cost("POST", f"{job}/history", {"status": "saved", "at": "2026-01-01T00:00:00Z"}) == 6
    assert cost("DELETE", f"{job}/history/{answers[-1].json['id']}") == 7
    assert cost("POST", f"{job}/history", {"status": "accepted"}) == 6

    announcement = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    assert cost("POST", f"{job}/documents/presign-upload", announcement) == 6
    upload = answers[-1].json
    urllib3.request("PUT", upload["upload_url"], body=b"x")
    confirmation = {"document_id": upload["document"]["id"]}
    # Four to look and to lock, four to change, two to delete the upload from the bucket.
    assert cost("POST", f"{job}/documents/confirm-upload", confirmation) == 10
    assert cost("POST", f"{job}/documents/confirm-upload", confirmation) == 4
    document = f"{job}/documents/{upload['document']['id']}"
    assert cost("GET", f"{document}/presign-download") == 3
    assert cost("DELETE", document) == 8
    assert cost("DELETE", job) == 4


def test_sign_in_and_public_endpoints(anonymous: Api, pool: Pool, ada: Api, statements: Any):
    login = {"email": "ada@example.com", "password": PASSWORD}
    with statements() as seen:
        anonymous.post("/auth/cognito/login", login)
    assert len(seen) == 2  # one to see that the database is there, before Cognito is asked
    with statements() as seen:
        # A stale token beside it is not looked at.
        ada.signed_in("garbage").post("/auth/cognito/logout")
        anonymous.refused(401, "GET", "/jobs")
        anonymous.refused(401, "POST", "/jobs/1/notes", {"body": "x"})
        anonymous.signed_in("garbage").refused(401, "GET", "/jobs/1")
    assert seen == []
