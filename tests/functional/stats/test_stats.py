"""The funnel: equal to a count by hand."""

import datetime
import itertools
import random
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobtracker.jobs.models import STAGE_OF, Stage, Status
from jobtracker.stats.models import STAGES
from jobtracker.stats.queries import STATUSES
from tests.common.api import Api


@pytest.fixture
def make(ada: Api, connection: Connection) -> Any:
    """Creates a job with steps like ``applied@2026-01-01 offer@2026-01-03``."""
    return lambda steps, api=ada: make_job(api, connection, steps)


def make_job(api: Api, connection: Connection, steps: str) -> int:
    job_id = api.post("/jobs", {"company_name": "Acme", "job_title": "x"}).json["id"]
    (first,) = api.get(f"/jobs/{job_id}/history").json
    for step in steps.split():
        status, _, day = step.partition("@")
        body = {"status": status, "at": f"{day}T12:00:00Z"}
        api.post(f"/jobs/{job_id}/history", body, status=201)
    api.delete(f"/jobs/{job_id}/history/{first['id']}")
    return job_id


def funnel(api: Api, query: str = "") -> dict[str, Any]:
    return api.get(f"/jobs/stats/funnel?{query}").json


def stages(found: dict[str, Any], figure: str) -> list[Any]:
    return [stage[figure] for stage in found["stages"]]


def test_funnel_without_jobs_has_all_stages_with_zero_counts(ada: Api):
    found = funnel(ada)
    assert found == {"stages": found["stages"], "outcomes": [], "edges": [], "total": 0}
    names = ["lead", "applied", "screening", "interview", "offer", "accepted"]
    assert stages(found, "stage") == names
    assert stages(found, "reached") == [0] * 6
    assert stages(found, "conversion") == stages(found, "median_days") == [None] * 6


def test_funnel_equals_a_count_by_hand(ada: Api, bob: Api, make: Any):
    # Every stage in order.
    make(
        "saved@2026-01-01 applied@2026-01-03 recruiter_screen@2026-01-10 interviewing@2026-01-12"
        " onsite@2026-01-15 offer@2026-01-20 accepted@2026-01-22"
    )
    # From applied to an offer: screening and interview were not reached.
    make("applied@2026-02-01 offer@2026-02-05 withdrawn@2026-02-06")
    # An interview that ended in a rejection is an interview.
    make("applied@2026-02-01 interviewing@2026-02-11 rejected@2026-02-12")
    # Closed, and opened again: two stays at one stage.
    make("applied@2026-03-01 ghosted@2026-03-31 applied@2026-04-10 rejected@2026-04-12")
    # Back from the interview to the start: an earlier stage is no advance from applied.
    make("interviewing@2026-03-01 applied@2026-03-05 archived@2026-03-06")
    # At no stage; a repeated status is no change.
    make("rejected@2026-05-01 rejected@2026-05-02")
    make("saved@2026-05-01 saved@2026-05-03 withdrawn@2026-05-05", api=bob)

    found = funnel(ada)
    assert found["total"] == 6
    assert stages(found, "reached") == [1, 5, 1, 3, 2, 1]
    # lead 1/1; applied 3/5; screening 1/1; interview: the first job alone; offer 1 of 2.
    assert stages(found, "conversion") == [1, 0.6, 1, 0.3333, 0.5, None]
    # applied: 7, 4, 10, 30 + 2, 1; interview: 8, 1, 4; offer: 2, 1.
    assert stages(found, "median_days") == [2, 7, 2, 4, 1.5, None]
    assert found["outcomes"] == [
        {"source": None, "outcome": "rejected", "count": 1},
        {"source": "applied", "outcome": "rejected", "count": 1},
        {"source": "interview", "outcome": "rejected", "count": 1},
        {"source": "offer", "outcome": "accepted", "count": 1},
        {"source": "offer", "outcome": "withdrawn", "count": 1},
    ]
    assert {(edge["from"], edge["to"]): edge["count"] for edge in found["edges"]} == {
        ("saved", "applied"): 1,
        ("applied", "recruiter_screen"): 1,
        ("recruiter_screen", "interviewing"): 1,
        ("interviewing", "onsite"): 1,
        ("onsite", "offer"): 1,
        ("offer", "accepted"): 1,
        ("applied", "offer"): 1,
        ("offer", "withdrawn"): 1,
        ("applied", "interviewing"): 1,
        ("interviewing", "rejected"): 1,
        ("applied", "ghosted"): 1,
        ("ghosted", "applied"): 1,
        ("applied", "rejected"): 1,
        ("interviewing", "applied"): 1,
    }
    assert funnel(bob)["edges"] == [{"from": "saved", "to": "withdrawn", "count": 1}]
    assert stages(funnel(bob), "median_days")[0] == 4


def test_duration_of_the_current_stage_lasts_until_now(ada: Api, connection: Connection, make: Any):
    make("saved@2026-01-01 applied@2026-01-03")
    make("saved@2026-01-01 accepted@2026-01-07")
    days = "SELECT extract(epoch FROM now() - '2026-01-03 12:00Z') / 86400"
    until_now = float(connection.execute(text(days)).scalar() or 0)
    median = stages(funnel(ada), "median_days")
    assert median[0] == 4  # of 2 and 6
    assert median[1] == pytest.approx(until_now, abs=0.01)
    assert median[5] is None  # accepted is the last stage


def test_outcome_is_of_the_current_status(ada: Api, make: Any):
    make("applied@2026-01-01 accepted@2026-01-05 archived@2026-01-09")
    make("interviewing@2026-01-01 rejected@2026-01-05 saved@2026-01-06")
    found = funnel(ada)
    assert found["outcomes"] == [{"source": "applied", "outcome": "accepted", "count": 1}]
    assert stages(found, "conversion") == [0, 1, None, 0, None, None]


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("", 3),
        ("from=&to=", 3),
        ("from=2026-01-02", 2),
        ("to=2026-01-02", 1),
        ("from=2026-01-01&to=2026-01-03", 2),
        ("from=2026-01-02T12:00:00Z&to=2026-01-03T12:00:00Z", 1),
        ("from=2026-01-02T13:00:00.000001%2B01:00", 1),
        ("to=2026-01-03T12:00:00z", 2),
        ("from=2026-02-01", 0),
        ("from=2026-02-01&to=2026-01-01", 0),
    ],
)
def test_funnel_is_restricted_to_jobs_that_began_in_a_range(
    ada: Api, make: Any, query: str, total: int
):
    make("applied@2026-01-01 offer@2026-01-30 accepted@2026-02-02")
    make("applied@2026-01-02 rejected@2026-01-09")
    make("saved@2026-01-03")
    assert funnel(ada, query)["total"] == total


@pytest.mark.parametrize("moment", ["x", "2026-02-30", "2026-01-01T00:00:00", "20260101", "1%00"])
def test_funnel_with_an_invalid_range_answers_422(ada: Api, moment: str):
    for name in ("from", "to"):
        wrong = ada.field_errors("GET", f"/jobs/stats/funnel?{name}={moment}", None)
        assert wrong.keys() == {name}


# ------------------------------------------------------------------------------ journeys

JOURNEYS_AS_FUNNEL_SEES_THEM = """
    SELECT application_id, began, status, since, rung, source, reached, went_on, days, edges
    FROM job_journeys ORDER BY application_id
"""


def journeys_by_hand(connection: Connection) -> list[tuple[Any, ...]]:
    """The summary of each job, computed from its steps."""
    steps = "SELECT application_id, status, at FROM job_steps ORDER BY application_id, at, id"
    by_job: dict[int, list[Any]] = {}
    for step in connection.execute(text(steps)):
        by_job.setdefault(step.application_id, []).append(step)
    return [(job_id, *journey_by_hand(steps)) for job_id, steps in by_job.items()]


def journey_by_hand(steps: list[Any]) -> tuple[Any, ...]:
    rungs = [
        None if STAGE_OF[step.status] is Stage.CLOSED else STAGES.index(STAGE_OF[step.status])
        for step in steps
    ]
    kept = [step.status for step in steps if step.status != "archived"]
    edges = [
        11 * STATUSES.index(before) + STATUSES.index(after)
        for before, after in itertools.pairwise(kept)
        if before != after
    ]
    days: list[float | None] = [None] * len(STAGES)
    reached = went_on = 0
    for place, (step, rung) in enumerate(zip(steps, rungs, strict=True)):
        following = steps[place + 1] if place + 1 < len(steps) else None
        if rung is None:
            continue
        rest = [later.status for later in steps[place + 1 :] if later.status != "archived"]
        if rung < len(STAGES) - 1 or (rest and rest[0] != "accepted"):
            stayed = (following.at - step.at).total_seconds() if following else 0
            days[rung] = (days[rung] or 0) + stayed / 86400
        reached |= 2 << rung
        if any(later is not None and later > rung for later in rungs[place:]):
            went_on |= 2 << rung
    present = None if rungs[-1] is None else rungs[-1] + 1
    source = max(
        (rung + 1 for rung in rungs if rung is not None and rung < len(STAGES) - 1), default=None
    )
    first, last = steps[0], steps[-1]
    shape = (present, source, reached, went_on, days)
    return first.at, kept[-1] if kept else "archived", last.at, *shape, bytes(edges)


def test_funnel_follows_changes_of_steps_by_api_and_sql(
    ada: Api, connection: Connection, make: Any
):
    rng = random.Random(1)  # noqa: S311
    jobs = [
        make("saved@2026-01-01"),
        make("applied@2026-01-01 offer@2026-01-03 accepted@2026-01-05"),
        make("rejected@2026-01-01 rejected@2026-01-01 rejected@2026-01-02"),
    ]

    def check() -> None:
        kept = [tuple(row) for row in connection.execute(text(JOURNEYS_AS_FUNNEL_SEES_THEM))]
        approx = pytest.approx
        expected = [
            (*one[:8], approx(one[8], abs=1e-9), one[9]) for one in journeys_by_hand(connection)
        ]
        assert kept == expected

    many = """
        INSERT INTO job_steps (user_id, application_id, status, at)
        SELECT user_id, id, (ARRAY[:statuses])[1 + floor(random() * 11)],
               timestamptz '2026-02-01' + random() * interval '100 days'
        FROM jobs, generate_series(1, 9) WHERE id = ANY(:jobs)
    """.replace("ARRAY[:statuses]", f"ARRAY{list(map(str, STATUSES))}")
    check()
    for _ in range(5):
        connection.execute(text(many), {"jobs": rng.sample(jobs, 2)})
        check()
        for change in (
            "UPDATE job_steps SET at = at - interval '40 days' WHERE id % 3 = 0",
            "UPDATE job_steps SET status = 'onsite' WHERE id % 4 = 0",
            "UPDATE job_steps SET application_id = :job WHERE id % 5 = 0",
            "DELETE FROM job_steps WHERE id % 7 = 0",
            "DELETE FROM job_steps WHERE application_id = :job AND :job % 2 = 0",
        ):
            connection.execute(text(change), {"job": rng.choice(jobs)})
            check()
    ada.patch(f"/jobs/{jobs[0]}", {"status": "ghosted"})
    check()
    ada.delete(f"/jobs/{jobs[0]}", status=204)
    kept = connection.execute(text("SELECT application_id FROM job_journeys")).scalars().all()
    assert jobs[0] not in kept
    connection.execute(text("UPDATE jobs SET trashed_at = NULL, trash_reason = NULL"))
    check()
    connection.execute(text("DELETE FROM jobs"))
    assert connection.execute(text("SELECT count(*) FROM job_journeys")).scalar() == 0


def test_statuses_in_sql_equal_those_in_python(connection: Connection):
    for rank, status in enumerate(Status):
        found = connection.execute(
            text("SELECT rank_of(:status), rung_of(:status)"), {"status": status}
        ).one()
        kind = STAGE_OF[status]
        assert found == (rank, None if kind is Stage.CLOSED else STAGES.index(kind) + 1)


def test_funnel_is_cached_for_some_seconds(ada: Api, make: Any, monkeypatch: pytest.MonkeyPatch):
    make("applied@2026-01-01")
    began = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC).timestamp()

    def at(seconds: float) -> Any:
        clock = SimpleNamespace(time=lambda: began + seconds)
        monkeypatch.setattr("jobtracker.http.conditional.time", clock)
        return ada.get("/jobs/stats/funnel", headers={"If-None-Match": etag}, status="*")

    etag = ""
    first = at(86400.5)
    etag = first.headers["ETag"]
    assert stages(first.json, "median_days")[1] == 1
    assert at(86409.9).status_code == 304
    assert stages(at(86400 + 8640).json, "median_days")[1] == 1.1
    # A clock behind the server's.
    assert stages(at(-60).json, "median_days")[1] == 0
