"""Archiving puts a job away: the funnel is that of the job before it."""

import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import Api


def make(api: Api, connection: Connection, *statuses: str, days: int = 30) -> str:
    """A job that had each of the statuses for a day, the first one so many days ago."""
    first, *others = statuses
    body = {"company_name": "Acme", "job_title": "x", "status": first}
    job = f"/jobs/{api.post('/jobs', body).json['id']}"
    for status in others:
        # The steps become older, so that none is taken back.
        connection.execute(text("UPDATE job_steps SET created_at = created_at - interval '1 day'"))
        api.patch(job, {"status": status}, status=200)
    connection.execute(
        text("""UPDATE job_steps SET at = moved.at FROM (
                    SELECT id, (now() AT TIME ZONE 'UTC' + (place - :days - 1) * interval '1 day')
                           AT TIME ZONE 'UTC' AS at FROM (
                        SELECT id, row_number() OVER (ORDER BY at, id) AS place
                        FROM job_steps WHERE application_id = :job) AS placed) AS moved
                WHERE job_steps.id = moved.id"""),
        {"job": int(job.rpartition("/")[2]), "days": days},
    )
    return job


def funnel(api: Api) -> dict[str, Any]:
    return api.get("/jobs/stats/funnel").json


@pytest.mark.parametrize(
    "statuses",
    [
        ("applied", "interviewing", "rejected"),
        ("saved", "withdrawn"),
        ("applied", "ghosted"),
        ("recruiter_screen", "offer", "accepted"),
        ("rejected",),
        ("accepted",),
    ],
)
@pytest.mark.parametrize(
    "away",
    [("archived",), ("archived", "archived"), ("archived", "LAST"), ("archived", "LAST") * 2],
)
def test_funnel_of_an_archived_job_is_that_of_the_job_before(
    ada: Api, bob: Api, connection: Connection, statuses: tuple[str, ...], away: tuple[str, ...]
):
    make(ada, connection, *statuses)
    again = (statuses[-1] if status == "LAST" else status for status in away)
    make(bob, connection, *statuses, *again)
    assert funnel(bob) == funnel(ada)
    assert [outcome["outcome"] for outcome in funnel(bob)["outcomes"]] == [statuses[-1]]


@pytest.mark.parametrize("status", ["saved", "applied", "recruiter_screen", "onsite", "offer"])
def test_archived_open_job_has_no_outcome_and_waits_no_longer(
    ada: Api, connection: Connection, status: str
):
    make(ada, connection, status, "archived")
    found = funnel(ada)
    assert (found["outcomes"], found["edges"], found["total"]) == ([], [], 1)
    (stage,) = [stage for stage in found["stages"] if stage["reached"]]
    assert stage["conversion"] == 0
    assert stage["median_days"] == pytest.approx(1, abs=1e-3)


def test_job_that_is_taken_out_goes_on_as_if_it_had_not_been_away(ada: Api, connection: Connection):
    make(ada, connection, "applied", "interviewing", "archived", "interviewing", "offer", days=9)
    make(ada, connection, "applied", "archived", "rejected", "archived", "interviewing", days=9)
    found = funnel(ada)
    assert found["outcomes"] == []
    assert {(edge["from"], edge["to"]): edge["count"] for edge in found["edges"]} == {
        ("applied", "interviewing"): 1,
        ("interviewing", "offer"): 1,
        ("applied", "rejected"): 1,
        ("rejected", "interviewing"): 1,
    }
    days = {stage["stage"]: stage["median_days"] for stage in found["stages"]}
    # Two days of the first job; the second one is there since the fifth of nine days.
    assert days["interview"] == pytest.approx((2 + 5) / 2, abs=1e-3)
    assert days["applied"] == pytest.approx(1, abs=1e-3)
    assert [stage["conversion"] for stage in found["stages"]][1:4] == [1, None, 0.5]


def test_job_that_was_always_archived_counts_in_total_alone(ada: Api, connection: Connection):
    make(ada, connection, "archived", "archived")
    found = funnel(ada)
    assert (found["outcomes"], found["edges"], found["total"]) == ([], [], 1)
    assert [stage["reached"] for stage in found["stages"]] == [0] * 6


def test_archived_job_needs_no_follow_up_and_keeps_its_status(ada: Api, connection: Connection):
    job = make(ada, connection, "interviewing", "archived")
    connection.execute(text("UPDATE jobs SET last_activity_at = now() - interval '9 days'"))
    assert ada.get(job).json["status"] == "archived"
    (card,) = ada.get("/jobs/board").json["jobs"]
    assert (card["status"], card["needs_follow_up"]) == ("archived", False)


def test_steps_of_an_archived_job_can_be_dated(ada: Api, connection: Connection):
    job = make(ada, connection, "interviewing", "archived")
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    ada.post(f"{job}/history", {"status": "rejected", "at": yesterday.isoformat()})
    assert ada.get(job).json["status"] == "rejected"
    ada.patch(job, {"status": "archived"})
    assert funnel(ada)["outcomes"] == [{"source": "interview", "outcome": "rejected", "count": 1}]
