"""Quotas: what exceeds one is 409 and changes nothing, and the usage shows each."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker.quotas import QUOTAS
from tests.common.api import Api
from tests.common.pagination import user_id
from tests.common.rows import insert_jobs, insert_rows
from tests.common.timeouts import http_request

JOB = {"company_name": "Acme", "job_title": "Engineer"}
RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 10}


@pytest.fixture
def owner(client: Api, job: str) -> dict[str, int]:
    return {"user_id": user_id(client), "application_id": int(job.rpartition("/")[2])}


@pytest.fixture
def limit(committing_app: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the limit of a quota."""

    def set_limit(name: str, number: int) -> None:
        monkeypatch.setitem(committing_app.registry.settings, f"quotas.{name}", number)

    return set_limit


def used(client: Api) -> dict[str, int]:
    usage = client.get("/users/me/usage").json
    del usage["trash"]
    return {name: quota["used"] for name, quota in usage.items()}


def test_usage_shows_each_quota_with_its_default(client: Api):
    assert client.get("/users/me/usage").json == {
        "jobs": {"used": 0, "limit": 10_000},
        "notes_per_job": {"used": 0, "limit": 1_000},
        "interviews_per_job": {"used": 0, "limit": 200},
        "history_per_job": {"used": 0, "limit": 200},
        "activity_per_job": {"used": 0, "limit": 1_000},
        "documents": {"used": 0, "limit": 2_000},
        "document_bytes": {"used": 0, "limit": 1024**3},
        "saved_views": {"used": 0, "limit": 100},
        "idempotency_keys": {"used": 0, "limit": 10_000},
        "trash": {"count": 0, "bytes": 0},
    }


def test_usage_counts_the_users_own_rows(client: Api, other_client: Api, job: str):
    other_client.post("/jobs", JOB)
    other = client.post("/jobs", JOB).headers["Location"]
    for body in "ab":
        client.post(f"{job}/notes", {"body": body})
    client.post(f"{other}/notes", {"body": "x"})
    client.post(f"{job}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"})
    client.patch(job, {"status": "offer"})
    client.post(f"{job}/documents/presign-upload", RESUME)
    client.post(f"{other}/documents/presign-upload", {**RESUME, "size_bytes": 32})
    client.post("/saved-views", {"name": "Mine", "data": {}})
    assert used(client) == {
        "jobs": 2,
        "notes_per_job": 2,
        "interviews_per_job": 1,
        "history_per_job": 2,
        "activity_per_job": 6,
        "documents": 2,
        "document_bytes": 42,
        "saved_views": 1,
        "idempotency_keys": 0,
    }
    answer = client.get("/users/me/usage")
    unchanged = {"If-None-Match": answer.headers["ETag"]}
    assert client.get("/users/me/usage", headers=unchanged, status=304).body == b""
    client.delete(other)
    assert used(client)["jobs"] == 1
    assert used(other_client) == {
        **dict.fromkeys(QUOTAS, 0),
        **dict.fromkeys(("jobs", "history_per_job", "activity_per_job"), 1),
    }


@pytest.mark.parametrize(
    ("quota", "path", "body"),
    [
        ("jobs", "/jobs", JOB),
        ("notes_per_job", "{job}/notes", {"body": "x"}),
        ("interviews_per_job", "{job}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"}),
        ("history_per_job", "{job}/history", {"status": "offer"}),
        ("history_per_job", "{job}/history", {"status": "saved", "at": "2026-01-01T00:00:00Z"}),
        ("documents", "{job}/documents/presign-upload", RESUME),
        ("document_bytes", "{job}/documents/presign-upload", RESUME),
        ("saved_views", "/saved-views", {"name": "new", "data": {}}),
    ],
)
def test_request_beyond_a_quota_answers_409_and_changes_nothing(
    client: Api, other_client: Api, job: str, limit: Any, quota: str, path: str, body: Any
):
    path = path.format(job=job)
    key = {"Idempotency-Key": f"{quota} {path} {len(str(body))}".replace(" ", "-")}
    unit = 10 if quota == "document_bytes" else 1
    number = used(client)[quota] + unit
    limit(quota, number)
    first = client.post(path, body, headers=key)
    assert used(client)[quota] == number
    before = client.get("/users/me/usage"), client.get(job).json
    for headers in ({}, {"Idempotency-Key": key["Idempotency-Key"] + "-other"}):
        error = client.refused(409, "POST", path, body, headers=headers)
        assert error["error"] == "CONFLICT"
        assert str(number) in error["message"]
        assert error["details"] == {"code": "QUOTA_EXCEEDED", "quota": quota, "limit": number}
    after = client.get("/users/me/usage")
    assert (after.body, after.headers["ETag"]) == (before[0].body, before[0].headers["ETag"])
    assert client.get(job).json == before[1]
    # The request that succeeded gets its response again.
    again = client.post(path, body, headers=key)
    assert (again.status_code, again.body) == (first.status_code, first.body)
    # Another user has a quota of their own.
    if quota == "jobs":
        other_client.post(path, body, status=201)
    # What is deleted makes room, but the bytes of what can be restored.
    client.delete(first.headers["Location"] + "?permanent=true" * (quota == "document_bytes"))
    if path != "/saved-views":
        client.post(path, body, status=201)


def test_idempotency_key_beyond_the_quota_answers_409_and_changes_nothing(client: Api, limit: Any):
    limit("idempotency_keys", 2)
    keys = [{"Idempotency-Key": f"quota-{number}"} for number in range(3)]
    first, _second = (client.post("/jobs", JOB, headers=key) for key in keys[:2])
    error = client.refused(409, "POST", "/jobs", JOB, headers=keys[2])
    assert error["details"]["quota"] == "idempotency_keys"
    assert len(client.get("/jobs").json) == 2
    assert client.post("/jobs", JOB, headers=keys[0]).body == first.body
    client.post("/jobs", JOB, status=201)


def test_lowered_quota_keeps_what_exists(client: Api, limit: Any):
    jobs = [client.post("/jobs", JOB).headers["Location"] for _ in range(3)]
    limit("jobs", 2)
    assert client.get("/users/me/usage").json["jobs"] == {"used": 3, "limit": 2}
    assert len(client.get("/jobs").json) == 3
    client.refused(409, "POST", "/jobs", JOB)
    client.delete(jobs[0])
    client.refused(409, "POST", "/jobs", JOB)
    client.delete(jobs[1])
    client.post("/jobs", JOB, status=201)


def test_first_job_of_an_account_has_a_quota_too(client: Api, limit: Any):
    limit("jobs", 1)
    client.post("/jobs", JOB, status=201)
    client.refused(409, "POST", "/jobs", JOB)


@pytest.mark.parametrize("table", ["jobs", "notes", "documents"])
def test_default_quota_holds(
    client: Api, job: str, owner: dict[str, int], engine: Engine, table: str
):
    if table == "jobs":
        insert_jobs(engine, owner["user_id"], 9_999)
        client.refused(409, "POST", "/jobs", JOB)
    elif table == "notes":
        insert_rows(engine, "notes", 1_000, **owner, body="x")
        client.refused(409, "POST", f"{job}/notes", {"body": "x"})
    else:
        document = {
            "doc_type": "thank_you",
            "original_filename": "x",
            "size_bytes": 1,
            "upload_key": "=n::text",
            "object_key": "=n::text",
            "status": "uploaded",
            "upload_expires_at": "=now()",
        }
        insert_rows(engine, "documents", 2_000, **owner, **document)
        error = client.refused(409, "POST", f"{job}/documents/presign-upload", RESUME)
        assert error["details"]["quota"] == "documents"


def test_confirmation_of_an_upload_is_within_the_quota(client: Api, job: str, limit: Any):
    """The bytes count from the announcement on, and the object has exactly those."""
    limit("document_bytes", 10)
    upload = client.post(f"{job}/documents/presign-upload", RESUME).json
    client.refused(409, "POST", f"{job}/documents/presign-upload", {**RESUME, "size_bytes": 1})
    http_request("PUT", upload["upload_url"], body=b"x" * 10)
    confirmation = {"document_id": upload["document"]["id"]}
    client.post(f"{job}/documents/confirm-upload", confirmation, status=200)
    assert used(client)["document_bytes"] == 10


def test_what_is_in_the_trash_counts_in_bytes_alone(client: Api, job: str):
    other = client.post("/jobs", JOB).headers["Location"]
    client.post(f"{other}/notes", {"body": "x"})
    client.post(f"{other}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"})
    upload = client.post(f"{other}/documents/presign-upload", RESUME)
    view = client.post("/saved-views", {"name": "Mine", "data": {}})
    for path in (upload.headers["Location"], other, view.headers["Location"]):
        client.delete(path)
    nothing = dict.fromkeys(QUOTAS, 0)
    left = {"jobs": 1, "history_per_job": 1, "activity_per_job": 1, "document_bytes": 10}
    assert used(client) == nothing | left


def test_jobs_by_sql_count(client: Api, other_client: Api, engine: Engine):
    ids = {"ada": user_id(client), "bob": user_id(other_client)}
    for statement, counts in (
        ("INSERT INTO jobs (user_id, company_name, job_title)"
         " SELECT id, 'x', 'y' FROM users, generate_series(1, 5)", (5, 5)),
        ("UPDATE jobs SET location = 'Graz'", (5, 5)),
        ("DELETE FROM jobs WHERE id IN (SELECT min(id) FROM jobs GROUP BY user_id)", (4, 4)),
        ("DELETE FROM job_steps; DELETE FROM activity; DELETE FROM job_words;"
         " DELETE FROM job_journeys; UPDATE jobs SET user_id = :bob WHERE id ="
         " (SELECT min(id) FROM jobs WHERE user_id = :ada)", (3, 5)),
        ("DELETE FROM jobs WHERE user_id = :ada", (0, 5)),
        ("DELETE FROM jobs WHERE false", (0, 5)),
    ):  # fmt: skip
        with engine.begin() as connection:
            for part in statement.split(";"):
                given = {name: number for name, number in ids.items() if f":{name}" in part}
                connection.execute(text(part), given)
        assert (used(client)["jobs"], used(other_client)["jobs"]) == counts, statement
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM users WHERE id = :bob"), {"bob": ids["bob"]})
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar() == 0


def test_activity_of_a_job_keeps_its_newest_entries(
    client: Api, job: str, owner: dict[str, int], engine: Engine
):
    entry = {"type": "note_added", "message": "old", "created_at": "=now() - n * interval '1 h'"}
    insert_rows(engine, "activity", 1_200, **owner, **entry)
    client.patch(job, {"location": "Graz"})
    entries = client.get(f"{job}/activity?limit=200").json
    assert [each["type"] for each in entries[:3]] == ["job_updated", "job_created", "note_added"]
    assert used(client)["activity_per_job"] == 1_000
    client.post(f"{job}/notes", {"body": "x"})
    assert used(client)["activity_per_job"] == 1_000
    other = client.post("/jobs", JOB).headers["Location"]
    assert len(client.get(f"{other}/activity").json) == 1


def test_limit_of_the_activity_is_the_setting(engine: Engine):
    with engine.connect() as connection:
        setting = connection.execute(text("SHOW jobtracker.activity_per_job")).scalar()
    assert setting == "1000"
