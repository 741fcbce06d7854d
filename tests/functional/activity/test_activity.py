"""Activity: every change of a job adds an entry, also a change by plain SQL."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import Api
from tests.common.timeouts import http_request


@pytest.fixture
def job(ada: Api) -> str:
    body = {"company_name": "Acme", "job_title": "Engineer", "tags": ["a", "b"]}
    return f"/jobs/{ada.post('/jobs', body).json['id']}"


@pytest.fixture
def sql(connection: Connection) -> Any:
    return lambda statement, **given: connection.execute(text(statement), given)


def entries_of(api: Api, job: str) -> list[tuple[str, dict]]:
    """Message and data of the entries after the creation of the job, newest first."""
    *entries, first = api.get(f"{job}/activity").json
    assert (first["type"], first["message"], first["data"]) == ("job_created", "Job added", {})
    return [(entry["message"], entry["data"]) for entry in entries]


def test_patch_of_a_job_records_status_tags_and_fields(ada: Api, job: str):
    patch = {"status": "offer", "tags": ["c", "b", "\u00e4"], "job_title": "x", "location": "Graz"}
    ada.patch(job, patch)
    entries = ada.get(f"{job}/activity").json
    job_id = int(job.rpartition("/")[2])
    assert [(entry["type"], entry["message"], entry["data"]) for entry in entries[:3]] == [
        ("job_updated", "Job updated", {"fields": ["job_title", "location"]}),
        ("tags_updated", "Tags updated", {"added": ["c", "\u00e4"], "removed": ["a"]}),
        ("status_changed", "Status changed to offer", {"from": "applied", "to": "offer"}),
    ]
    assert {entry["application_id"] for entry in entries} == {job_id}
    updated_at = ada.get(job).json["updated_at"]
    assert {entry["created_at"] for entry in entries[:3]} == {updated_at}
    assert [entry["id"] for entry in entries] == sorted(
        (entry["id"] for entry in entries), reverse=True
    )


def test_patch_of_a_job_records_the_names_of_changed_fields(ada: Api, job: str):
    patch = {
        "company_name": "New",
        "job_title": "New",
        "location": "Graz",
        "applied_date": "2026-01-01",
        "job_url": "https://a.b",
        "priority": "high",
    }
    ada.patch(job, patch)
    assert entries_of(ada, job) == [("Job updated", {"fields": sorted(patch)})]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE jobs SET status = status, tags = tags, job_title = 'Engineer', location = NULL",
        "UPDATE jobs SET tags = '{b,a,b}'",
        "UPDATE jobs SET last_activity_at = now(), updated_at = now(), last_action_at = now()",
        "UPDATE notes SET body = body",
    ],
)
def test_update_with_equal_values_records_no_activity(ada: Api, job: str, sql: Any, statement: str):
    sql(statement)
    ada.patch(job, {"status": "APPLIED", "tags": ["b", "a"]})
    assert entries_of(ada, job) == []


def test_notes_record_activity_when_added_and_deleted(ada: Api, job: str):
    note = ada.post(f"{job}/notes", {"body": "x"}).json["id"]
    ada.delete(f"{job}/notes/{note}")
    assert entries_of(ada, job) == [
        ("Note deleted", {"note_id": note}),
        ("Note added", {"note_id": note}),
    ]


def test_documents_record_activity_when_added_uploaded_and_deleted(ada: Api, job: str):
    body = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}

    def upload() -> dict[str, Any]:
        announced = ada.post(f"{job}/documents/presign-upload", body).json
        http_request("PUT", announced["upload_url"], body=b"x")
        document_id = announced["document"]["id"]
        for _ in range(2):  # the second changes nothing
            ada.post(f"{job}/documents/confirm-upload", {"document_id": document_id})
        return {"document_id": document_id, "doc_type": "resume", "filename": "cv.pdf"}

    first, second = upload(), upload()
    ada.delete(f"{job}/documents/{second['document_id']}")
    assert entries_of(ada, job) == [
        ("Document deleted", second),
        ("Document uploaded", second),
        ("Document deleted", first),  # replaced
        ("Document added", second),
        ("Document uploaded", first),
        ("Document added", first),
    ]


def test_changes_by_plain_sql_record_activity(ada: Api, job: str, sql: Any):
    sql("UPDATE jobs SET status = 'offer', tags = '{}'")
    sql("""INSERT INTO notes (user_id, application_id, body)
           SELECT user_id, id, n::text FROM jobs, generate_series(1, 2) n""")
    sql("DELETE FROM notes")
    assert [message for message, _data in entries_of(ada, job)] == [
        *("Note deleted", "Note deleted", "Note added", "Note added"),
        *("Tags updated", "Status changed to offer"),
    ]


def test_deletion_of_a_job_deletes_its_activity(ada: Api, job: str, sql: Any):
    ada.post(f"{job}/notes", {"body": "x"})
    body = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    ada.post(f"{job}/documents/presign-upload", body)
    ada.delete(job)
    ada.refused(404, "GET", f"{job}/activity")
    assert sql("SELECT count(*) FROM activity").scalar() > 0
    sql("DELETE FROM jobs")
    assert sql("SELECT count(*) FROM activity").scalar() == 0
    other = f"/jobs/{ada.post('/jobs', {'company_name': 'x', 'job_title': 'y'}).json['id']}"
    ada.post(f"{other}/notes", {"body": "x"})
    sql("DELETE FROM users")
    assert sql("SELECT count(*) FROM activity").scalar() == 0


def test_rolled_back_change_records_no_activity(ada: Api, job: str):
    ada.refused(422, "PATCH", job, {"status": "offer", "job_url": "x"})
    assert entries_of(ada, job) == []


def test_activity_limit_is_applied_and_validated(ada: Api, job: str, sql: Any):
    sql("""INSERT INTO notes (user_id, application_id, body)
           SELECT user_id, id, n::text FROM jobs, generate_series(1, 300) n""")
    for query, count in {"": 50, "?limit=": 50, "?limit=1": 1, "?limit=0200": 200}.items():
        assert len(ada.get(f"{job}/activity{query}").json) == count
    for limit in ("201", "9" * 30, "9" * 5000):
        assert len(ada.get(f"{job}/activity?limit={limit}").json) == 200
    for limit, kind in {
        "0": "greater_than_equal",
        "-1": "int_type",
        "1.0": "int_type",
        "x": "int_type",
        "%D9%A1": "int_type",
        "1%00": "string_characters",
    }.items():
        path = f"{job}/activity?limit={limit}"
        assert ada.field_errors("GET", path, None) == {"limit": kind}


class TestMetrics:
    def test_metrics_count_activity_of_the_last_days(self, ada: Api, bob: Api, job: str, sql: Any):
        ada.post(f"{job}/notes", {"body": "x"})
        ada.patch(job, {"status": "offer"})
        ada.patch(job, {"status": "rejected"})
        bob.post("/jobs", {"company_name": "x", "job_title": "y"})
        sql("""UPDATE activity SET created_at = created_at - interval '10 days'
               WHERE data ->> 'to' = 'offer'""")
        assert ada.get("/jobs/metrics/activity").json == {
            "range_days": 7,
            "total_events": 3,
            "per_type": {"job_created": 1, "note_added": 1, "status_changed": 1},
        }
        last = ada.get("/jobs/metrics/activity?range_days=30").json
        assert (last["range_days"], last["total_events"]) == (30, 4)
        assert last["per_type"]["status_changed"] == 2

    @pytest.mark.parametrize("days", ["0", "31", "-1", "x", "1.5"])
    def test_metrics_with_an_invalid_range_answer_422(self, ada: Api, days: str):
        path = f"/jobs/metrics/activity?range_days={days}"
        assert ada.field_errors("GET", path, None).keys() == {"range_days"}
