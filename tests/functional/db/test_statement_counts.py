"""The number of SQL statements of each endpoint, that of the user included."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from jobtracker.db.engine import TimeoutConnection
from jobtracker.http import conditional
from tests.common.api import Api
from tests.common.app import forget_tokens
from tests.common.endpoints import example_ids
from tests.common.timeouts import http_request
from tests.common.trash import in_trash, make
from tests.common.user_pool import PASSWORD, MotoUserPool

# Of a resource of each kind.
OTHER_IDS = ("task_id", "export_id", "import_id")
# Their ETags are computed from the body.
BY_BODY = ("/jobs/metrics", "/users/me/audit", "/tasks", "/exports", "/imports")


@pytest.fixture
def statements(connection: Connection) -> Any:
    driver = cast(TimeoutConnection, connection.connection.dbapi_connection)

    @contextmanager
    def counted() -> Iterator[list[str]]:
        seen: list[str] = []

        class Counting(psycopg.Cursor[Any]):
            def execute(self, query: Any, *args: Any, **options: Any) -> Any:
                # Savepoints stand for the BEGIN and COMMIT of production.
                if not str(query).startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
                    seen.append(str(query))
                return super().execute(query, *args, **options)

        usual, driver.cursor_factory = driver.cursor_factory, Counting
        try:
            yield seen
        finally:
            driver.cursor_factory = usual

    return counted


@pytest.fixture
def job_id(ada: Api, db: Session) -> int:
    """A job with many notes and interviews, among many jobs; and many saved views."""
    job_id = ada.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"}).json["id"]
    user_id = ada.get("/users/me").json["id"]
    for insert in (
        "INSERT INTO jobs (user_id, company_name, job_title)"
        " SELECT :user, 'Acme', 'x' FROM generate_series(1, 200)",
        "INSERT INTO notes (user_id, application_id, body)"
        " SELECT :user, :job, 'x' FROM generate_series(1, 60)",
        "INSERT INTO interviews (user_id, application_id, scheduled_at)"
        " SELECT :user, :job, now() FROM generate_series(1, 60)",
        "INSERT INTO saved_views (user_id, name, data)"
        " SELECT :user, number, '{}' FROM generate_series(1, 99) AS number",
    ):
        db.execute(text(insert), {"user": user_id, "job": job_id})
    db.commit()
    return job_id


@pytest.mark.parametrize(("rows", "count"), [(1, 10), (250, 14)])
def test_import_of_csv_executes_two_statements_for_each_hundred_rows(
    ada: Api, statements: Any, rows: int, count: int
):
    ada.get("/users/me")
    table = "".join(f"Company {number},Dev,Note\n" for number in range(rows))
    with statements() as seen:
        ada.post("/imports/csv", {"text": f"Company,Title,Notes\n{table}"}, status=201)
    assert len(seen) == count


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/health", 0),
        ("/users/me", 1),
        ("/users/me/settings", 1),
        ("/users/me/ui-preferences", 1),
        ("/users/me/usage", 2),
        ("/users/me/deletion", 2),
        ("/users/me/retention", 2),
        ("/users/me/mfa", 1),
        ("/users/me/audit", 2),
        ("/jobs", 2),
        ("/jobs?q=a&status=applied&tag=b&tag_q=c", 2),
        ("/jobs/{job_id}", 3),
        ("/jobs/{job_id}/notes", 3),
        ("/jobs/{job_id}/notes/{note_id}", 3),
        ("/jobs/{job_id}/documents", 3),
        ("/jobs/{job_id}/interviews", 3),
        ("/jobs/{job_id}/interviews/{interview_id}", 3),
        ("/jobs/{job_id}/documents/{document_id}/versions", 4),
        ("/saved-views", 2),
        ("/saved-views/{view_id}", 2),
        ("/jobs/{job_id}/activity", 3),
        ("/jobs/{job_id}/history", 3),
        ("/jobs/{job_id}/details", 5),
        ("/jobs/board", 2),
        ("/jobs/board?limit=100", 3),
        ("/jobs/search?q=", 1),
        ("/jobs/search?q=acme%20x", 2),
        ("/jobs/stats/funnel", 2),
        ("/jobs/metrics/activity", 2),
        ("/tasks/{task_id}", 2),
        ("/exports", 2),
        ("/exports/{export_id}", 2),
        ("/imports", 2),
        ("/imports/{import_id}", 2),
        ("/trash", 2),
        ("/trash?kind=note&limit=5", 2),
    ],
)
def test_reads_execute_a_constant_number_of_statements(
    ada: Api, job_id: int, statements: Any, path: str, count: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(conditional, "ROUNDING", 10**9)  # the rounded time does not change
    ids = {
        "job_id": job_id,
        "note_id": ada.get(f"/jobs/{job_id}/notes").json[0]["id"],
        "interview_id": ada.get(f"/jobs/{job_id}/interviews").json[0]["id"],
        "view_id": ada.get("/saved-views").json[0]["id"],
        **{name: value for name, value in example_ids(ada).items() if name in OTHER_IDS},
    }
    if "{document_id}" in path:
        ids["document_id"] = int(make(ada, f"/jobs/{job_id}", "document").rpartition("/")[2])
    separator = "&" if "?" in path else "?"
    path = path.format(**ids) + separator
    ada.get(f"{path}fresh=1")  # a process reads the key of cursors once
    path += "fresh=2"
    with statements() as seen:
        answer = ada.get(path)
    assert len(seen) == count, seen
    # Unchanged: one statement, for the user, with and without If-None-Match.
    if "ETag" in answer.headers:
        for headers in ({}, {"If-None-Match": answer.headers["ETag"]}):
            with statements() as seen:
                again = ada.get(path, headers=headers, status="*")
            assert len(seen) == (count if path.startswith(BY_BODY) else 1), seen
            assert again.status_code == (304 if headers else 200)
            assert again.body == (b"" if headers else answer.body)
    without = ("/health", "/users/me/mfa")
    assert ("ETag" in answer.headers) == (not path.startswith(without))


def test_writes_execute_a_constant_number_of_statements(ada: Api, job_id: int, statements: Any):
    answers: list[Any] = []

    def cost(method: str, path: str, body: Any = None) -> int:
        with statements() as seen:
            answers.append(ada.call(method, path, body))
        return len(seen)

    job = f"/jobs/{job_id}"
    settings = {"auto_refresh_seconds": 10}
    assert cost("PUT", "/users/me/settings", settings) == 2
    assert cost("PUT", "/users/me/settings", settings) == 2
    preferences = {"preferences": {"a": True, "b": None}}
    assert cost("PATCH", "/users/me/ui-preferences", preferences) == 2
    assert cost("PATCH", "/users/me/ui-preferences", preferences) == 2
    assert cost("POST", "/users/me/mfa") == 1
    assert cost("POST", "/jobs", {"company_name": "Acme", "job_title": "x"}) == 1
    assert cost("PATCH", job, {"tags": ["a"], "status": "offer"}) == 2
    assert cost("PATCH", job, {"tags": ["a"], "status": "offer"}) == 2
    assert cost("POST", f"{job}/notes", {"body": "x"}) == 3
    assert cost("DELETE", f"{job}/notes/{answers[-1].json['id']}") == 4

    assert cost("POST", f"{job}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"}) == 3
    interview = f"{job}/interviews/{answers[-1].json['id']}"
    assert cost("PATCH", interview, {"status": "completed"}) == 4
    assert cost("PATCH", interview, {"status": "completed"}) == 2
    assert cost("DELETE", interview) == 4

    assert cost("POST", "/saved-views", {"name": "Mine", "data": {}}) == 3
    view = f"/saved-views/{answers[-1].json['id']}"
    assert cost("PATCH", view, {"data": {"a": 1}}) == 3
    assert cost("PATCH", view, {"data": {"a": 1}}) == 2
    assert cost("PATCH", view, {"name": "Other"}) == 4
    assert cost("DELETE", view) == 4
    assert cost("POST", f"{job}/history", {"status": "saved", "at": "2026-01-01T00:00:00Z"}) == 5
    assert cost("DELETE", f"{job}/history/{answers[-1].json['id']}") == 6
    assert cost("POST", f"{job}/history", {"status": "accepted"}) == 5

    announcement = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    assert cost("POST", f"{job}/documents/presign-upload", announcement) == 5
    upload = answers[-1].json
    http_request("PUT", upload["upload_url"], body=b"x")
    confirmation = {"document_id": upload["document"]["id"]}
    # Four to look and to lock, four to change, two to delete the upload from the bucket.
    assert cost("POST", f"{job}/documents/confirm-upload", confirmation) == 10
    assert cost("POST", f"{job}/documents/confirm-upload", confirmation) == 2
    document = f"{job}/documents/{upload['document']['id']}"
    assert cost("GET", f"{document}/presign-download") == 2
    assert cost("DELETE", document) == 4
    other = ada.post(f"{job}/documents/presign-upload", announcement).headers["Location"]
    assert cost("DELETE", f"{other}?permanent=true") == 6  # two for its objects
    # The lock of the user, two of the task, and the row.
    assert cost("POST", "/exports", {"documents": True}) == 9
    assert cost("DELETE", f"/exports/{answers[-1].json['id']}") == 5
    # The lock of the user, the number of files, the time, and the row.
    assert cost("POST", "/imports", {"filename": "x.zip", "size_bytes": 1}) == 5
    imported = f"/imports/{answers[-1].json['import']['id']}"
    http_request("PUT", answers[-1].json["upload_url"], body=b"x")
    # The lock of the row, its update, and three of the task.
    assert cost("POST", f"{imported}/check") == 7
    assert cost("DELETE", imported) == 7
    assert cost("DELETE", job) == 2


def test_versions_imports_and_the_emptying_of_the_trash_execute_a_constant_number_of_statements(
    ada: Api, job_id: int, statements: Any
):
    def cost(method: str, path: str, body: Any = None) -> int:
        with statements() as seen:
            ada.call(method, path, body)
        return len(seen)

    documents = f"/jobs/{job_id}/documents"
    ids = []
    for number in range(6):
        announcement = {"doc_type": "resume", "filename": f"{number}.pdf", "size_bytes": 1}
        upload = ada.post(f"{documents}/presign-upload", announcement).json
        http_request("PUT", upload["upload_url"], body=b"x")
        ids.append(upload["document"]["id"])
        ada.post(f"{documents}/confirm-upload", {"document_id": ids[-1]})
        if number not in (1, 5):
            continue
        version = f"{documents}/{ids[-1]}/versions/{ids[-2]}"
        download = cost("GET", f"{version}/presign-download")
        restoration = cost("POST", f"{version}/restore")
        ada.post(f"{documents}/{ids[-2]}/versions/{ids[-1]}/restore")
        emptying = cost("DELETE", "/trash")
        upload = ada.post("/imports", {"filename": "x.zip", "size_bytes": 1}).json
        http_request("PUT", upload["upload_url"], body=b"x")
        path = f"/imports/{upload['import']['id']}/run"
        run = cost("POST", path, {"on_duplicate": "skip"})
        table = {"text": "Company,Title\n" + "Acme,x\n" * number}
        check = cost("POST", "/imports/csv/check", table)
        # Of the restoration: three reads, the locks of the job and of the user, the usage, what is
        # replaced, the row, the event.
        assert (download, restoration, emptying, run, check) == (3, 11, 6, 7, 2)
    # The user, the dates of all jobs, and a page of rows.
    assert cost("GET", "/reports/applications.csv") == 3


@pytest.mark.parametrize(
    ("kind", "restoration", "purge"),
    [("job", 7, 5), ("note", 7, 6), ("interview", 7, 6), ("document", 8, 8), ("saved_view", 6, 4)],
)
def test_writes_of_the_trash_execute_a_constant_number_of_statements(
    ada: Api, job_id: int, statements: Any, kind: str, restoration: int, purge: int
):
    path = make(ada, f"/jobs/{job_id}", kind)
    for method, suffix, count in (("POST", "/restore", restoration), ("DELETE", "", purge)):
        ada.delete(path)
        with statements() as seen:
            ada.call(method, f"{in_trash(kind, path)}{suffix}")
        assert len(seen) == count, seen


@pytest.mark.parametrize(
    ("method", "path", "count"),
    [
        ("GET", "/users/me", 1),
        ("GET", "/jobs", 2),
        ("GET", "/jobs/{job_id}", 3),
        ("POST", "/jobs", 2),
        ("PATCH", "/jobs/{job_id}", 3),
    ],
)
def test_first_request_with_a_token_finds_the_user_in_one_statement(
    ada: Api, job_id: int, statements: Any, app: Any, method: str, path: str, count: int
):
    forget_tokens(app)
    body = {"POST": {"company_name": "Acme", "job_title": "x"}, "PATCH": {"tags": ["a"]}}
    with statements() as seen:
        ada.call(method, path.format(job_id=job_id), body.get(method))
    assert len(seen) == count, seen
    assert ["identities" in each for each in seen] == [True] + [False] * (count - 1)
    with statements() as seen:
        ada.call(method, path.format(job_id=job_id), body.get(method))
    assert not any("identities" in each for each in seen)


def test_public_endpoints_execute_no_statements_except_sign_in(
    anonymous: Api, user_pool: MotoUserPool, ada: Api, statements: Any
):
    login = {"email": "ada@example.com", "password": PASSWORD}
    anonymous.refused(401, "POST", "/auth/cognito/login", {**login, "password": "x"})  # the key
    # One that checks the database before Cognito is called, the user, three for the audit, the
    # network; at the first sign-in, two for the identity, two for the user, one for whether it was
    # deleted.
    for count in (11, 6):
        with statements() as seen:
            tokens = anonymous.post("/auth/cognito/login", login).json["tokens"]
        assert len(seen) == count
    with statements() as seen:
        refresh = {"refresh_token": tokens["refresh_token"]}
        anonymous.post("/auth/cognito/refresh", refresh)
    assert len(seen) == 3  # one before Cognito is called, the revocation, the user
    with statements() as seen:
        anonymous.post("/auth/cognito/forgot-password", {"email": "ada@example.com"})
        # An invalid token is ignored.
        ada.signed_in("garbage").post("/auth/cognito/logout")
        anonymous.refused(401, "GET", "/jobs")
        anonymous.refused(401, "POST", "/jobs/1/notes", {"body": "x"})
        anonymous.signed_in("garbage").refused(401, "GET", "/jobs/1")
    assert seen == []


@pytest.mark.parametrize("path", ["/jobs", "/jobs/board"])
def test_texts_of_few_jobs_are_not_added_up(ada: Api, statements: Any, path: str):
    ada.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"})
    with statements() as seen:
        ada.get(path)
    assert not any("octet_length" in each for each in seen)


def test_list_is_complete_when_the_number_of_jobs_is_out_of_date(
    ada: Api, job_id: int, db: Session
):
    db.execute(text("UPDATE users SET job_count = 1"))
    db.commit()
    assert len(ada.get("/jobs").json) == 201
    assert len(ada.get("/jobs/board").json["jobs"]) == 201
