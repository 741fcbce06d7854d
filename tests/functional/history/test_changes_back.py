"""A status that soon changes back leaves no steps, but its activity."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import Api


@pytest.fixture
def job(ada: Api) -> str:
    body = {"company_name": "Acme", "job_title": "Engineer"}
    return f"/jobs/{ada.post('/jobs', body).json['id']}"


@pytest.fixture
def wait(connection: Connection) -> Any:
    """Lets time pass: all steps become older."""

    def make_older(**interval: int) -> None:
        earlier = "at = at - make_interval(secs => :s), created_at = created_at - make_interval"
        seconds = interval.get("minutes", 0) * 60 + interval.get("seconds", 0)
        statement = f"UPDATE job_steps SET {earlier}(secs => :s)"  # noqa: S608 (from above)
        connection.execute(text(statement), {"s": seconds})

    return make_older


def move(api: Api, job: str, *statuses: str) -> None:
    for status in statuses:
        assert api.patch(job, {"status": status}, status=200).json["status"] == status


def steps(api: Api, job: str) -> list[str]:
    found = [step["status"] for step in api.get(f"{job}/history").json]
    assert api.get(job).json["status"] == found[-1]
    return found


@pytest.mark.parametrize("status", ["saved", "interviewing", "rejected", "archived"])
def test_change_back_within_five_minutes_takes_both_steps_back(
    ada: Api, job: str, wait: Any, status: str
):
    before = ada.get(f"{job}/history").json
    funnel = ada.get("/jobs/stats/funnel").json
    move(ada, job, status)
    assert steps(ada, job) == ["applied", status]
    move(ada, job, "applied")
    assert ada.get(f"{job}/history").json == before
    after = ada.get("/jobs/stats/funnel").json
    assert (after["edges"], after["outcomes"]) == ([], [])
    for stage in ("reached", "conversion"):
        assert [row[stage] for row in after["stages"]] == [row[stage] for row in funnel["stages"]]
    changes = [(entry["type"], entry["data"]) for entry in ada.get(f"{job}/activity").json]
    assert changes == [
        ("status_changed", {"from": status, "to": "applied"}),
        ("status_changed", {"from": "applied", "to": status}),
        ("job_created", {}),
    ]


@pytest.mark.parametrize(("seconds", "stays"), [(0, False), (290, False), (310, True)])
def test_change_back_after_five_minutes_is_a_step(
    ada: Api, job: str, wait: Any, seconds: int, stays: bool
):
    move(ada, job, "offer")
    wait(seconds=seconds)
    move(ada, job, "applied")
    assert steps(ada, job) == (["applied", "offer", "applied"] if stays else ["applied"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["offer", "onsite", "applied"], ["applied"]),
        (["offer", "onsite", "rejected", "applied"], ["applied"]),
        (["offer", "onsite", "offer"], ["applied", "offer"]),
        (["offer", "onsite", "offer", "applied"], ["applied"]),
        (["offer", "applied", "offer"], ["applied", "offer"]),
        (["offer", "onsite"], ["applied", "offer", "onsite"]),
    ],
)
def test_change_back_by_way_of_other_statuses_takes_all_back(
    ada: Api, job: str, path: list[str], expected: list[str]
):
    move(ada, job, *path)
    assert steps(ada, job) == expected


def test_change_back_takes_back_what_is_not_older(ada: Api, job: str, wait: Any):
    move(ada, job, "interviewing")
    wait(minutes=6)
    move(ada, job, "rejected", "interviewing")
    assert steps(ada, job) == ["applied", "interviewing"]
    move(ada, job, "rejected")
    wait(minutes=4)
    move(ada, job, "archived")
    wait(minutes=2)
    move(ada, job, "interviewing")
    assert steps(ada, job) == ["applied", "interviewing", "rejected", "archived", "interviewing"]
    wait(minutes=6)
    move(ada, job, "rejected", "applied")
    assert steps(ada, job)[-3:] == ["interviewing", "rejected", "applied"]


@pytest.mark.parametrize("at", [None, "2026-01-01T00:00:00Z"])
def test_steps_that_the_user_entered_are_not_taken_back(ada: Api, job: str, at: str | None):
    ada.post(f"{job}/history", {"status": "offer"})
    move(ada, job, "applied")
    assert steps(ada, job) == ["applied", "offer", "applied"]
    move(ada, job, "onsite")
    ada.post(f"{job}/history", {"status": "applied", "at": at})
    if at is None:
        assert steps(ada, job) == ["applied", "offer", "applied", "onsite", "applied"]
    else:
        assert steps(ada, job) == ["applied", "applied", "offer", "applied", "onsite"]
        move(ada, job, "applied")
        assert steps(ada, job) == ["applied", "applied", "offer", "applied"]


def test_change_back_to_a_step_that_the_user_entered_keeps_it(ada: Api, job: str):
    entered = ada.post(f"{job}/history", {"status": "interviewing"}).json
    move(ada, job, "rejected", "interviewing")
    assert ada.get(f"{job}/history").json[-1] == entered


def test_change_back_leaves_interviews_notes_and_other_jobs(ada: Api, job: str):
    other = f"/jobs/{ada.post('/jobs', {'company_name': 'x', 'job_title': 'y'}).json['id']}"
    move(ada, other, "offer")
    move(ada, job, "interviewing")
    ada.post(f"{job}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"})
    ada.post(f"{job}/notes", {"body": "x"})
    move(ada, job, "applied")
    assert len(ada.get(f"{job}/interviews").json) == len(ada.get(f"{job}/notes").json) == 1
    assert steps(ada, other) == ["applied", "offer"]


def test_change_back_of_a_job_with_an_applied_date(ada: Api):
    def create(status: str) -> str:
        body = {"company_name": "x", "job_title": "y", "applied_date": "2026-01-01"}
        return f"/jobs/{ada.post('/jobs', {**body, 'status': status}).json['id']}"

    saved, applied, screened = create("saved"), create("applied"), create("recruiter_screen")
    before = [ada.get(f"{job}/history").json for job in (saved, applied, screened)]
    move(ada, saved, "applied", "saved")
    move(ada, saved, "offer", "saved")
    move(ada, applied, "offer", "applied")
    move(ada, screened, "offer", "recruiter_screen")
    assert [ada.get(f"{job}/history").json for job in (saved, applied, screened)] == before
    # It never left applied: the step of the date is not a status that it had.
    move(ada, screened, "applied")
    assert steps(ada, screened) == ["applied", "recruiter_screen", "applied"]


def test_full_history_takes_a_change_back(ada: Api, job: str, connection: Connection):
    connection.execute(
        text("""INSERT INTO job_steps (user_id, application_id, status, at)
                SELECT user_id, id, 'saved', now() - n * interval '1 day'
                FROM jobs, generate_series(1, 198) n""")
    )
    move(ada, job, "offer")
    ada.refused(409, "PATCH", job, {"status": "ghosted"})
    move(ada, job, "applied")
    assert len(steps(ada, job)) == 199


def test_change_back_by_plain_sql_takes_both_steps_back(ada: Api, job: str, connection: Connection):
    for status in ("offer", "onsite", "applied"):
        connection.execute(text("UPDATE jobs SET status = :status"), {"status": status})
    assert steps(ada, job) == ["applied"]
