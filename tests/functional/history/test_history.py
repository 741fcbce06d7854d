"""The steps of a job: the latest is its status."""

import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import Api


@pytest.fixture
def job(ada: Api) -> str:
    body = {"company_name": "Acme", "job_title": "Engineer"}
    return f"/jobs/{ada.post('/jobs', body).json['id']}"


def steps(api: Api, job: str) -> list[str]:
    return [step["status"] for step in api.get(f"{job}/history").json]


def status(api: Api, job: str) -> str:
    return api.get(job).json["status"]


def ago(**delta: float) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(**delta)).isoformat()


def test_new_job_has_one_step(ada: Api, job: str):
    made = ada.get(job).json
    (step,) = ada.get(f"{job}/history").json
    assert step == {
        "id": step["id"],
        "application_id": made["id"],
        "status": "applied",
        "at": made["created_at"],
        "created_at": made["created_at"],
    }
    assert ada.get(f"{job}/history/{step['id']}").json == step


def test_change_of_status_adds_a_step(ada: Api, job: str):
    for patch in ({"status": "offer"}, {"status": "offer"}, {"location": "Graz"}):
        patched = ada.patch(job, patch).json
    ada.patch(job, {"status": "accepted"})
    history = ada.get(f"{job}/history").json
    assert [step["status"] for step in history] == ["applied", "offer", "accepted"]
    assert history[1]["at"] < patched["updated_at"] < history[2]["at"]


def test_change_of_status_by_plain_sql_adds_a_step(ada: Api, job: str, connection: Connection):
    connection.execute(text("UPDATE jobs SET status = 'offer'"))
    assert steps(ada, job) == ["applied", "offer"]


def test_step_without_a_time_sets_the_status(ada: Api, job: str):
    before = ada.get(job).json
    response = ada.post(f"{job}/history", {"status": "Onsite"}, status=201)
    assert ada.get(response.headers["Location"]).json == response.json
    after = ada.get(job).json
    assert after["status"] == "onsite"
    assert after["updated_at"] > before["updated_at"]
    assert after["last_activity_at"] > before["last_activity_at"]
    assert steps(ada, job) == ["applied", "onsite"]
    last = ada.get(f"{job}/activity").json[0]
    assert (last["type"], last["data"]) == ("status_changed", {"from": "applied", "to": "onsite"})


def test_step_in_the_past_leaves_the_status(ada: Api, job: str):
    before = ada.get(job).json
    ada.post(f"{job}/history", {"status": "saved", "at": ago(days=9)})
    ada.post(f"{job}/history", {"status": "interviewing", "at": ago(days=3)})
    assert steps(ada, job) == ["saved", "interviewing", "applied"]
    after = ada.get(job).json
    assert (after["status"], after["updated_at"]) == ("applied", before["updated_at"])
    assert after["last_activity_at"] > before["last_activity_at"]
    assert [entry["type"] for entry in ada.get(f"{job}/activity").json] == ["job_created"]


def test_later_of_two_steps_at_the_same_time_sets_the_status(ada: Api, job: str):
    (first,) = ada.get(f"{job}/history").json
    ada.post(f"{job}/history", {"status": "offer", "at": first["at"]})
    assert steps(ada, job) == ["applied", "offer"]
    assert status(ada, job) == "offer"


def test_status_set_after_a_step_in_the_near_future_is_later(ada: Api, job: str):
    ada.post(f"{job}/history", {"status": "offer", "at": ago(seconds=-50)})
    assert status(ada, job) == "offer"
    ada.patch(job, {"status": "accepted"})
    ada.post(f"{job}/history", {"status": "archived"})
    assert steps(ada, job) == ["applied", "offer", "accepted", "archived"]
    assert status(ada, job) == "archived"


def test_deletion_of_steps_restores_the_status_and_keeps_the_last_step(ada: Api, job: str):
    wrong = ada.post(f"{job}/history", {"status": "rejected"}).json
    middle = ada.post(f"{job}/history", {"status": "saved", "at": ago(days=1)}).json
    ada.delete(f"{job}/history/{wrong['id']}")
    assert status(ada, job) == "applied"
    assert steps(ada, job) == ["saved", "applied"]
    ada.delete(f"{job}/history/{middle['id']}")
    ada.refused(404, "DELETE", f"{job}/history/{middle['id']}")
    (last,) = ada.get(f"{job}/history").json
    ada.refused(409, "DELETE", f"{job}/history/{last['id']}")
    assert steps(ada, job) == ["applied"]


def test_step_beyond_two_hundred_answers_409(ada: Api, job: str, connection: Connection):
    connection.execute(
        text("""INSERT INTO job_steps (user_id, application_id, status, at)
                SELECT user_id, id, 'saved', now() - n * interval '1 day'
                FROM jobs, generate_series(1, 198) n""")
    )
    ada.post(f"{job}/history", {"status": "offer"}, status=201)
    before = ada.get(job).json, ada.get(f"{job}/activity").json
    error = ada.refused(409, "POST", f"{job}/history", {"status": "saved"})
    quota = {"code": "QUOTA_EXCEEDED", "quota": "history_per_job", "limit": 200}
    assert error["details"] == quota
    patch = {"status": "accepted", "location": "Graz"}
    assert ada.refused(409, "PATCH", job, patch)["details"] == quota
    assert (ada.get(job).json, ada.get(f"{job}/activity").json) == before

    ada.patch(job, {"status": "offer", "location": "Graz"})  # the status that it has: no step
    (*_, last) = ada.get(f"{job}/history").json
    ada.delete(f"{job}/history/{last['id']}")
    ada.patch(job, {"status": "accepted"})
    assert len(steps(ada, job)) == 200


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"status": "missing"}),
        ({"status": "hired"}, {"status": "enum"}),
        ({"status": "offer", "at": "2026-01-01"}, {"at": "timestamp_format"}),
        ({"status": "offer", "at": "2026-01-01T00:00:00"}, {"at": "timestamp_format"}),
        ({"status": "offer", "at": "1969-12-31T23:59:59Z"}, {"at": "greater_than_equal"}),
        ({"status": "offer", "at": "1970-01-01T00:00:00+01:00"}, {"at": "greater_than_equal"}),
        ({"status": "offer", "at": ago(hours=-1)}, {"at": "less_than_equal"}),
        ({"status": "offer", "id": 1}, {"id": "extra_forbidden"}),
    ],
)
def test_post_step_with_an_invalid_field_answers_422(
    ada: Api, job: str, body: dict[str, Any], wrong: dict[str, str]
):
    assert ada.field_errors("POST", f"{job}/history", body) == wrong
    assert steps(ada, job) == ["applied"]


def test_post_step_accepts_the_unix_epoch(ada: Api, job: str):
    ada.post(f"{job}/history", {"status": "saved", "at": "1970-01-01T00:00:00Z"}, status=201)


def test_step_of_another_job_answers_404(ada: Api, job: str):
    other = f"/jobs/{ada.post('/jobs', {'company_name': 'x', 'job_title': 'y'}).json['id']}"
    step = ada.get(f"{job}/history").json[0]["id"]
    ada.refused(404, "DELETE", f"{other}/history/{step}")


def test_deletion_of_a_job_deletes_its_steps(ada: Api, job: str, connection: Connection):
    ada.delete(job)
    ada.refused(404, "GET", f"{job}/history")
    assert connection.execute(text("SELECT count(*) FROM job_steps")).scalar_one() > 0
    connection.execute(text("DELETE FROM jobs"))
    assert connection.execute(text("SELECT count(*) FROM job_steps")).scalar() == 0
