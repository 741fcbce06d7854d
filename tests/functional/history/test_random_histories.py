"""Random changes of jobs and histories: what holds after each, and the funnel of them all."""

import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from jobtracker.jobs.models import Status
from tests.common.api import Api
from tests.common.funnel import History, funnel

UTC = datetime.UTC
TODAY = datetime.datetime.now(UTC).date()

# Often the same ones, so that statuses change back.
STATUS = st.one_of(
    st.sampled_from(["saved", "applied", "interviewing", "archived"]),
    st.sampled_from([str(status) for status in Status]),
)
DATE = st.one_of(st.none(), st.integers(-2, 12).map(lambda n: TODAY - datetime.timedelta(days=n)))
# Of steps that the user enters: at noon too, as the applied dates.
MOMENT = st.one_of(
    st.none(),
    st.builds(
        lambda day, hour: datetime.datetime.combine(
            TODAY - datetime.timedelta(days=day), datetime.time(hour), UTC
        ),
        st.integers(1, 12),
        st.sampled_from([0, 12, 17]),
    ),
)
CHANGE = st.one_of(
    st.tuples(st.just("status"), STATUS),
    st.tuples(st.just("status"), STATUS),
    st.tuples(st.just("date"), DATE),
    st.tuples(st.just("both"), st.tuples(STATUS, DATE)),
    st.tuples(st.just("enter"), st.tuples(STATUS, MOMENT)),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from([4, 6, 3000])),
)


class Job:
    """A job with all that the user did to its history."""

    def __init__(self, api: Api, connection: Connection, status: str, date: Any) -> None:
        self.api, self.connection = api, connection
        body = {"company_name": "x", "job_title": "y", "status": status}
        job = api.post("/jobs", {**body, "applied_date": date and date.isoformat()}, status=201)
        self.job_id = job.json["id"]
        self.path = f"/jobs/{self.job_id}"
        self.entered: dict[int, tuple[str, datetime.datetime]] = {}
        self.order = [step.id for step in self.steps]
        self.check()

    @property
    def steps(self) -> list[Any]:
        query = "SELECT * FROM job_steps WHERE application_id = :job ORDER BY at, id"
        return list(self.connection.execute(text(query), {"job": self.job_id}))

    @property
    def history(self) -> History:
        return [(step.status, step.at) for step in self.steps]

    @property
    def date(self) -> datetime.date | None:
        query = "SELECT applied_date FROM jobs WHERE id = :job"
        return self.connection.execute(text(query), {"job": self.job_id}).scalar()

    def patch(self, **fields: Any) -> None:
        if date := fields.get("applied_date"):
            fields["applied_date"] = date.isoformat()
        self.api.patch(self.path, fields, status=200)

    def do(self, what: str, value: Any) -> None:
        date = self.date
        if what == "status":
            self.patch(status=value)
        elif what == "date":
            self.patch(applied_date=value)
        elif what == "both":
            self.patch(status=value[0], applied_date=value[1])
        elif what == "enter":
            body = {"status": value[0], "at": value[1] and value[1].isoformat()}
            step = self.api.post(f"{self.path}/history", body, status=201).json
            self.entered[step["id"]] = (step["status"], datetime.datetime.fromisoformat(step["at"]))
        elif what == "delete" and len(steps := self.steps) > 1:
            step = steps[value % len(steps)]
            self.api.delete(f"{self.path}/history/{step.id}", status=204)
            self.entered.pop(step.id, None)
        elif what == "wait":
            self.wait(value)
        self.check()
        if what == "date" and value != date:  # a patch without a change leaves the history
            self.check_date(value)

    def wait(self, minutes: int) -> None:
        """Let time pass for the steps that are not dated, as far as their order remains."""
        earlier = f"- interval '{minutes} minutes'"
        self.connection.execute(
            text(f"""UPDATE job_steps SET created_at = created_at {earlier}, at = at {earlier}
                     WHERE application_id = :job AND origin = 'status' AND at = created_at
                         AND at {earlier} > coalesce((
                             SELECT max(at) FROM job_steps AS others
                             WHERE application_id = :job AND (origin IS NULL OR at <> created_at)
                         ), '1970-01-01')"""),  # noqa: S608 (a number)
            {"job": self.job_id},
        )

    def check(self) -> None:
        steps = self.steps
        query = "SELECT status FROM jobs WHERE id = :job"
        status = self.connection.execute(text(query), {"job": self.job_id}).scalar()
        assert steps[-1].status == status
        assert {
            step.id: (step.status, step.at) for step in steps if step.origin is None
        } == self.entered
        # What was there before has its place, but for the step of the date.
        order = [step.id for step in steps if step.origin != "applied_date"]
        both = set(order) & set(self.order)
        before = [step for step in self.order if step in both]
        assert [step for step in order if step in both] == before
        self.order = order

    def check_date(self, date: datetime.date | None) -> None:
        """The job was applied for at a date, if there was none since, and no step against it."""
        steps = self.steps
        derived = [step for step in steps if step.origin == "applied_date"]
        if date is None:
            assert derived == []
        elif not self.entered and date < min(step.created_at for step in steps).date():
            first = next((step for step in steps if step.status == "applied"), None)
            if {step.status for step in steps} - {"archived"} == {"saved"}:
                assert first is None
            else:
                assert first
                assert first.at.date() == date
                assert all(step.status == "saved" for step in steps[: steps.index(first)])


def delete_jobs(connection: Connection) -> None:
    """Delete the jobs of the previous example."""
    connection.execute(text("DELETE FROM jobs"))


@example(  # the step of a date that the user has deleted does not come back with the same date
    first=[("interviewing", None)],
    changes=[
        (0, ("date", TODAY - datetime.timedelta(days=1))),
        (0, ("delete", 0)),
        (0, ("date", TODAY - datetime.timedelta(days=1))),
    ],
)
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    first=st.lists(st.tuples(STATUS, DATE), min_size=1, max_size=3),
    changes=st.lists(st.tuples(st.integers(0, 2), CHANGE), max_size=12),
)
def test_random_changes_keep_the_history_and_the_funnel_right(
    ada: Api, connection: Connection, first: list[Any], changes: list[Any]
):
    delete_jobs(connection)
    jobs = [Job(ada, connection, *one) for one in first]
    for number, change in changes:
        jobs[number % len(jobs)].do(*change)

    found = ada.get("/jobs/stats/funnel").json
    expected = funnel([job.history for job in jobs], datetime.datetime.now(UTC))
    assert found["total"] == expected["total"]
    assert {(e["from"], e["to"]): e["count"] for e in found["edges"]} == expected["edges"]
    outcomes = {(o["source"], o["outcome"]): o["count"] for o in found["outcomes"]}
    assert outcomes == expected["outcomes"]
    # The server's time is rounded to ten seconds.
    assert found["stages"] == [
        {
            **stage,
            "conversion": pytest.approx(stage["conversion"], abs=1e-4),
            "median_days": pytest.approx(stage["median_days"], abs=2e-3),
        }
        for stage in expected["stages"]
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    status=STATUS,
    dates=st.lists(DATE, min_size=1, max_size=4),
    statuses=st.lists(STATUS, max_size=4),
)
def test_history_depends_on_the_date_and_not_on_earlier_dates(
    ada: Api, connection: Connection, status: str, dates: list[Any], statuses: list[str]
):
    delete_jobs(connection)
    job = Job(ada, connection, status, None)
    for each in statuses:
        job.do("status", each)
    before = job.history
    for date in dates:
        job.do("date", date)
    job.do("date", None)
    assert job.history == before
