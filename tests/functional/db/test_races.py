"""Concurrent requests: real threads and real commits, on a database of their own."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, text
from webtest import TestResponse

from jobtracker.security import CognitoSecurityPolicy
from jobtracker.users.models import Identity, User
from tests.common.api import Api, statuses
from tests.common.app import connections_in_use, forget_tokens
from tests.common.concurrency import THREADS, repeat_concurrently
from tests.common.timeouts import http_request


def presign(client: Api, job: str, **options: Any) -> TestResponse:
    body = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    return client.post(f"{job}/documents/presign-upload", body, **options)


def test_concurrent_first_requests_create_one_user(client: Api, committing_app: Any):
    job = {"company_name": "Acme", "job_title": "x"}

    def first(number: int) -> TestResponse:
        if number % 2:  # in a transaction of its own, or in the request's
            return client.call("GET", "/users/me", status="*")
        return client.call("POST", "/jobs", job, headers={"Idempotency-Key": f"{number}"})

    answers = repeat_concurrently(first)
    assert statuses(answers) == [200] * (THREADS // 2) + [201] * (THREADS // 2)
    assert len({answer.body for answer in answers if answer.status_code == 200}) == 1
    assert len(client.get("/jobs").json) == THREADS // 2
    with committing_app.registry["db_sessions"]() as db:
        assert db.scalar(select(func.count()).select_from(User)) == 1
        assert db.scalar(select(func.count()).select_from(Identity)) == 1


def test_concurrent_uploads_beyond_five_answer_429(client: Api, job: str):
    answers = repeat_concurrently(lambda _number: presign(client, job, status="*"))
    assert statuses(answers) == [201] * 5 + [429] * (THREADS - 5)
    assert len(client.get(f"{job}/documents").json) == 5


def test_concurrent_confirmations_leave_one_resume(client: Api, job: str):
    uploads = [presign(client, job).json for _ in range(5)]
    for upload in uploads:
        http_request("PUT", upload["upload_url"], body=b"x")

    def confirm(number: int) -> TestResponse:
        body = {"document_id": uploads[number % 5]["document"]["id"]}
        return client.call("POST", f"{job}/documents/confirm-upload", body, status="*")

    answers = repeat_concurrently(confirm, 10)
    # A document that was replaced before its second confirmation is deleted.
    assert set(statuses(answers)) <= {200, 404}
    left = client.get(f"{job}/documents").json
    assert [document["status"] for document in left] == ["uploaded"]


def test_concurrent_views_with_one_name_answer_409_but_for_one(client: Api):
    view = {"name": "Remote", "data": {}}
    answers = repeat_concurrently(lambda _number: client.post("/saved-views", view, status="*"))
    assert statuses(answers) == [201] + [409] * (THREADS - 1)
    others = [client.post("/saved-views", {**view, "name": str(n)}).json for n in range(THREADS)]

    def rename(number: int) -> TestResponse:
        path = f"/saved-views/{others[number]['id']}"
        return client.patch(path, {"name": "Onsite"}, status="*")

    assert statuses(repeat_concurrently(rename)) == [200] + [409] * (THREADS - 1)


def delete(client: Api, path: str, _number: int) -> TestResponse:
    return client.call("DELETE", path, status="*")


@pytest.mark.parametrize("path", ["/jobs", "{job}/notes", "{job}/documents/presign-upload"])
def test_concurrent_posts_with_one_key_create_one_resource(client: Api, job: str, path: str):
    body = {
        "/jobs": {"company_name": "Acme", "job_title": "x"},
        "{job}/notes": {"body": "x"},
        "{job}/documents/presign-upload": {
            "doc_type": "resume",
            "filename": "cv.pdf",
            "size_bytes": 1,
        },
    }[path]
    key = {"Idempotency-Key": f"storm {path}".replace(" ", "-")}

    def post(_number: int) -> TestResponse:
        return client.call("POST", path.format(job=job), body, status="*", headers=key)

    answers = repeat_concurrently(post)
    assert set(statuses(answers)) <= {201, 409}
    answers = [answer for answer in answers if answer.status_code == 201] + [post(0)]
    assert len({(answer.body, answer.headers["Location"]) for answer in answers}) == 1
    listed = path.removesuffix("/presign-upload").format(job=job)
    assert len(client.get(listed).json) == (2 if listed == "/jobs" else 1)


def test_concurrent_deletes_answer_404_but_for_one(client: Api, job: str):
    note = client.post(f"{job}/notes", {"body": "x"}).json["id"]
    document = presign(client, job).json["document"]["id"]
    when = {"scheduled_at": "2026-11-30T13:00:00Z"}
    interview = client.post(f"{job}/interviews", when).json["id"]
    view = client.post("/saved-views", {"name": "x", "data": {}}).json["id"]
    for path in (
        f"{job}/notes/{note}",
        f"{job}/documents/{document}",
        f"{job}/interviews/{interview}",
        f"/saved-views/{view}",
        job,
    ):
        answers = repeat_concurrently(functools.partial(delete, client, path))
        assert statuses(answers) == [204] + [404] * (THREADS - 1)


def test_concurrent_patches_of_different_fields_are_all_kept(client: Api, job: str):
    patches: list[dict[str, Any]] = [
        *({"company_name": "New"}, {"job_title": "New"}, {"location": "New"}),
        *({"status": "offer"}, {"job_url": "https://new.example"}, {"tags": ["new"]}),
    ]
    answers = repeat_concurrently(lambda number: client.patch(job, patches[number]), len(patches))
    assert statuses(answers) == [200] * len(patches)
    after = client.get(job).json
    for patch in patches:
        assert after.items() >= patch.items()


def test_concurrent_patches_of_ui_preferences_are_all_kept(client: Api):
    def patch(number: int) -> TestResponse:
        body = {"preferences": {f"p{number}": True}}
        return client.patch("/users/me/ui-preferences", body, status="*")

    client.get("/users/me")
    assert statuses(repeat_concurrently(patch)) == [200] * THREADS
    kept = client.get("/users/me/ui-preferences").json["ui_preferences"]
    assert kept == {f"p{number}": True for number in range(THREADS)}

    most = {"preferences": {f"q{number}": True for number in range(100 - THREADS - 3)}}
    client.patch("/users/me/ui-preferences", most)

    def patch_more(number: int) -> TestResponse:
        body = {"preferences": {f"r{number}": True}}
        return client.patch("/users/me/ui-preferences", body, status="*")

    assert statuses(repeat_concurrently(patch_more)) == [200] * 3 + [422] * (THREADS - 3)
    assert len(client.get("/users/me/ui-preferences").json["ui_preferences"]) == 100


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"location": "Graz"}),
        ("POST", "/notes", {"body": "x"}),
        ("DELETE", "/notes/{note}", None),
        (
            *("POST", "/documents/presign-upload"),
            {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1},
        ),
        ("POST", "/documents/confirm-upload", {"document_id": "{document}"}),
        ("DELETE", "/documents/{document}", None),
        ("POST", "/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"}),
        ("PATCH", "/interviews/{interview}", {"status": "cancelled"}),
        ("DELETE", "/interviews/{interview}", None),
    ],
)
def test_write_to_a_job_deleted_meanwhile_answers_404(
    client: Api,
    committing_app: Any,
    job: str,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: Any,
):
    ids = {
        "note": client.post(f"{job}/notes", {"body": "x"}).json["id"],
        "document": presign(client, job).json["document"]["id"],
        "interview": client.post(
            f"{job}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"}
        ).json["id"],
    }
    if body == {"document_id": "{document}"}:
        body = {"document_id": ids["document"]}
    meanwhile = JobDeletion(committing_app.registry["db_engine"], monkeypatch)
    client.refused(404, method, job + path.format(**ids), body)
    assert meanwhile.deleted
    assert client.get("/jobs").json == []


class JobDeletion:
    """Deletes all jobs after a request has found its context."""

    def __init__(self, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deleted = False
        permits = CognitoSecurityPolicy.permits

        def permits_then_delete(*args: Any) -> Any:
            allowed = permits(*args)
            if not self.deleted:
                self.deleted = True
                with engine.begin() as connection:
                    connection.execute(text("DELETE FROM jobs"))
            return allowed

        monkeypatch.setattr(CognitoSecurityPolicy, "permits", permits_then_delete)


def test_every_response_returns_its_connection(client: Api, committing_app: Any, job: str):
    pool = committing_app.registry["db_engine"].pool
    client.call("POST", "/jobs", {"company_name": "x", "job_title": "y"}, status=201)
    client.call("GET", job, status=200)
    client.call("GET", "/jobs/999999", status=404)
    client.call("PATCH", job, {"status": "x"}, status=422)
    client.call("DELETE", job, status=204)
    Api(client.app).call("GET", "/jobs", status=401)
    assert pool.checkedout() == 0


def test_first_request_of_an_account_holds_no_connection_during_the_call_of_cognito(
    client: Api, committing_app: Any, monkeypatch: pytest.MonkeyPatch
):
    cognito, held = committing_app.registry["cognito"], []
    get_user = cognito.get_user

    def observed(token: str) -> Any:
        held.append(connections_in_use(committing_app))
        return get_user(token)

    monkeypatch.setattr(cognito, "get_user", observed)
    forget_tokens(committing_app)
    client.get("/users/me")
    assert held == [0]


def test_concurrent_steps_in_the_past_are_all_kept(client: Api, job: str):
    def record(number: int) -> TestResponse:
        body = {"status": "saved", "at": f"2026-01-0{number + 1}T12:00:00Z"}
        return client.call("POST", f"{job}/history", body, status="*")

    assert statuses(repeat_concurrently(record)) == [201] * THREADS
    steps = client.get(f"{job}/history").json
    assert [step["status"] for step in steps] == ["saved"] * THREADS + ["applied"]
    assert client.get(job).json["status"] == "applied"


def test_status_is_the_latest_of_concurrent_steps(client: Api, job: str):
    words = ["saved", "offer", "rejected", "onsite"]

    def change(number: int) -> TestResponse:
        body = {"status": words[number % 4]}
        if number % 2:
            return client.call("POST", f"{job}/history", body, status="*")
        return client.call("PATCH", job, body, status="*")

    assert set(statuses(repeat_concurrently(change))) <= {200, 201}
    steps = [step["status"] for step in client.get(f"{job}/history").json]
    assert client.get(job).json["status"] == steps[-1]
    # The entries form one chain from the first status to the current one. In order of id: now() of
    # a statement that waited for a lock is earlier than that of the statement which held it.
    entries = sorted(client.get(f"{job}/activity").json, key=lambda entry: entry["id"])
    changes = [entry["data"] for entry in entries[1:]]
    assert [entry["from"] for entry in changes] + [steps[-1]] == (
        ["applied"] + [entry["to"] for entry in changes]
    )


def test_concurrent_deletes_of_all_steps_leave_one(client: Api, job: str):
    client.post(f"{job}/history", {"status": "offer"})
    paths = [f"{job}/history/{step['id']}" for step in client.get(f"{job}/history").json]
    answers = repeat_concurrently(
        lambda number: client.call("DELETE", paths[number], status="*"), 2
    )
    assert statuses(answers) == [204, 409]
    (left,) = client.get(f"{job}/history").json
    assert client.get(job).json["status"] == left["status"]


def test_concurrent_purges_of_a_job_and_its_document_do_not_deadlock(
    client: Api, committing_app: Any, job: str
):
    """The triggers of a purged document do not wait for the lock of the job."""
    document_id = presign(client, job).json["document"]["id"]
    client.delete(f"{job}/documents/{document_id}")
    engine = committing_app.registry["db_engine"]

    def delete_jobs() -> int:
        with engine.begin() as connection:
            return connection.execute(text("DELETE FROM jobs")).rowcount

    with engine.begin() as one, ThreadPoolExecutor(1) as threads:
        one.execute(text("SELECT FROM documents FOR UPDATE"))
        other = threads.submit(delete_jobs)
        while not one.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert not other.done()
        one.execute(text("DELETE FROM documents"))
        one.commit()
        assert other.result() == 1


@pytest.mark.parametrize("body", [None, {"name": "Onsite"}])
def test_name_of_a_view_is_freed_and_taken_without_a_deadlock(
    client: Api, committing_app: Any, body: Any
):
    """A creation has locked the user and waits for the row: so the user is locked first."""
    path = client.post("/saved-views", {"name": "Remote", "data": {}}).headers["Location"]
    engine = committing_app.registry["db_engine"]
    with engine.begin() as one, ThreadPoolExecutor(1) as threads:
        one.execute(text("SELECT FROM users FOR NO KEY UPDATE"))
        method = "PATCH" if body else "DELETE"
        other = threads.submit(client.call, method, path, body)
        while not one.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass
        found = one.execute(text("SELECT id FROM saved_views FOR UPDATE SKIP LOCKED")).all()
        one.commit()
        other.result()
        assert len(found) == 1


def test_request_whose_commit_is_the_victim_of_a_deadlock_is_tried_again(
    client: Api, committing_app: Any, job: str
):
    note = client.post(f"{job}/notes", {"body": "called"}).headers["Location"]
    engine = committing_app.registry["db_engine"]
    with engine.begin() as one, ThreadPoolExecutor(1) as threads:
        one.execute(text("SET LOCAL deadlock_timeout = '1min'"))
        one.execute(text("SELECT FROM users FOR NO KEY UPDATE"))
        other = threads.submit(client.call, "DELETE", note, status="*")
        # Its COMMIT increments the revision of the user.
        while not one.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass
        one.execute(text("SELECT FROM jobs FOR UPDATE"))
        one.commit()
        assert other.result().status_code == 204
