"""The applied date of a job is the time of its first applied step, unless the user entered it."""

import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import Api

TODAY = datetime.datetime.now(datetime.UTC).date()


def day(days_ago: int) -> str:
    return (TODAY - datetime.timedelta(days=days_ago)).isoformat()


def noon(days_ago: int) -> str:
    return f"{day(days_ago)}T12:00:00Z"


def create(api: Api, **fields: Any) -> str:
    body = {"company_name": "Acme", "job_title": "Engineer", **fields}
    return f"/jobs/{api.post('/jobs', body).json['id']}"


def history(api: Api, job: str) -> list[tuple[str, str]]:
    """Status and time of the steps; that of the latest is the job's."""
    steps = [(step["status"], step["at"]) for step in api.get(f"{job}/history").json]
    assert api.get(job).json["status"] == steps[-1][0]
    return steps


def statuses(api: Api, job: str) -> list[str]:
    return [status for status, _at in history(api, job)]


def applied(api: Api) -> tuple[int, Any]:
    """How many jobs have reached applied, and the rounded median of their days there."""
    stage = api.get("/jobs/stats/funnel").json["stages"][1]
    return stage["reached"], round(stage["median_days"] or 0)


class TestNewJob:
    @pytest.mark.parametrize("days_ago", [1, 30, 400])
    def test_applied_job_was_applied_for_at_its_date(self, ada: Api, days_ago: int):
        job = create(ada, applied_date=day(days_ago))
        assert history(ada, job) == [("applied", noon(days_ago))]
        assert applied(ada) == (1, pytest.approx(days_ago, abs=1))
        made = ada.get(job).json
        assert made["last_activity_at"] == made["created_at"] > noon(0)[:10]

    @pytest.mark.parametrize("status", ["recruiter_screen", "interviewing", "offer", "rejected"])
    def test_job_of_a_later_status_was_applied_for_at_its_date(self, ada: Api, status: str):
        job = create(ada, status=status, applied_date=day(30))
        created_at = ada.get(job).json["created_at"]
        assert history(ada, job) == [("applied", noon(30)), (status, created_at)]
        assert applied(ada) == (1, pytest.approx(30, abs=1))
        edges = ada.get("/jobs/stats/funnel").json["edges"]
        assert edges == [{"from": "applied", "to": status, "count": 1}]

    @pytest.mark.parametrize("status", ["applied", "interviewing", "accepted"])
    def test_date_of_today_is_not_after_the_creation(self, ada: Api, status: str):
        job = create(ada, status=status, applied_date=day(0))
        steps = history(ada, job)
        assert [status for status, _at in steps] == ["applied", status][-len(steps) :]
        assert steps[0][1] <= ada.get(job).json["created_at"]
        assert steps[0][1].startswith(day(0))

    @pytest.mark.parametrize("status", ["applied", "interviewing", "archived"])
    @pytest.mark.parametrize("date", ["9999-12-31", day(-3), "1969-12-31", "0001-01-01"])
    def test_date_in_the_future_or_before_1970_is_ignored(self, ada: Api, status: str, date: str):
        job = create(ada, status=status, applied_date=date)
        assert history(ada, job) == [(status, ada.get(job).json["created_at"])]

    @pytest.mark.parametrize("date", [day(30), day(0), day(-30)])
    def test_saved_job_is_not_applied_for(self, ada: Api, date: str):
        assert statuses(ada, create(ada, status="saved", applied_date=date)) == ["saved"]
        assert applied(ada) == (0, 0)

    def test_archived_job_with_a_date_was_applied_for(self, ada: Api):
        job = create(ada, status="archived", applied_date=day(30))
        assert statuses(ada, job) == ["applied", "archived"]

    def test_funnel_of_a_range_has_the_jobs_that_were_applied_for_in_it(self, ada: Api):
        create(ada, applied_date=day(30))
        create(ada, applied_date=day(20), status="onsite")
        create(ada, applied_date=day(20), status="saved")
        create(ada)
        found = ada.get(f"/jobs/stats/funnel?from={day(30)}&to={day(19)}").json
        assert found["total"] == 2
        assert ada.get(f"/jobs/stats/funnel?from={day(29)}&to={day(19)}").json["total"] == 1
        assert ada.get(f"/jobs/stats/funnel?from={day(18)}").json["total"] == 2

    def test_job_by_plain_sql_was_applied_for_at_its_date(self, ada: Api, connection: Connection):
        ada.get("/users/me")
        insert = """INSERT INTO jobs (user_id, company_name, job_title, status, applied_date)
                    SELECT id, 'x', 'y', 'offer', :date FROM users, generate_series(1, 3)"""
        connection.execute(text(insert), {"date": day(9)})
        assert applied(ada) == (3, pytest.approx(9, abs=1))

    @pytest.mark.parametrize("status", ["applied", "saved", "offer"])
    @pytest.mark.parametrize("days_ago", [90, 60, 30, 0, -30])
    def test_imported_job_has_the_history_of_one_that_is_dated_afterwards(
        self, ada: Api, connection: Connection, status: str, days_ago: int
    ):
        ada.get("/users/me")
        insert = """INSERT INTO jobs (user_id, company_name, job_title, status, created_at,
                                      applied_date)
                    SELECT id, 'x', 'y', :status, :at, :date FROM users RETURNING id"""
        imported, dated = (
            f"/jobs/{connection.execute(text(insert), values).scalar()}"
            for date in (day(days_ago), None)
            for values in [{"status": status, "at": f"{day(60)}T17:00:00Z", "date": date}]
        )
        ada.patch(dated, {"applied_date": day(days_ago)})
        found = history(ada, imported)
        if days_ago == 0 and status == "applied":  # then it is the time of the request
            assert found[0][1][:10] == history(ada, dated)[0][1][:10] == day(0)
        else:
            assert found == history(ada, dated)


class TestChangedDate:
    def test_patch_of_the_date_moves_the_step(self, ada: Api):
        job = create(ada)
        (created,) = history(ada, job)
        for days_ago in (30, 2, 90):
            before = ada.get(job).headers["ETag"]
            ada.patch(job, {"applied_date": day(days_ago)})
            assert history(ada, job) == [("applied", noon(days_ago))]
            assert ada.get(job).headers["ETag"] != before
        ada.patch(job, {"applied_date": None})
        assert history(ada, job) == [created]
        types = [entry["type"] for entry in ada.get(f"{job}/activity").json]
        assert types == ["job_updated"] * 4 + ["job_created"]

    def test_patch_of_the_date_inserts_the_step_of_a_job_without_one(self, ada: Api):
        job = create(ada, status="interviewing")
        (created,) = history(ada, job)
        for days_ago in (30, 2, 90):
            ada.patch(job, {"applied_date": day(days_ago)})
            assert history(ada, job) == [("applied", noon(days_ago)), created]
        ada.patch(job, {"applied_date": None})
        assert history(ada, job) == [created]

    def test_step_moves_to_a_date_after_the_creation(self, ada: Api, connection: Connection):
        job = create(ada)
        connection.execute(
            text("""UPDATE job_steps SET at = at - interval '30 days',
                                         created_at = created_at - interval '30 days'""")
        )
        ada.patch(job, {"applied_date": day(10)})
        assert history(ada, job) == [("applied", noon(10))]
        ada.patch(job, {"applied_date": day(0)})
        ((_status, at),) = history(ada, job)
        assert at.startswith(day(0))

    def test_step_does_not_move_past_the_one_that_follows(self, ada: Api, connection: Connection):
        job = create(ada)
        ada.patch(job, {"status": "interviewing"})
        connection.execute(
            text("""UPDATE job_steps SET at = at - interval '9 days',
                                         created_at = created_at - interval '9 days'""")
        )
        before = history(ada, job)
        for days_ago in (3, 0, -3):
            ada.patch(job, {"applied_date": day(days_ago)})
            assert history(ada, job) == before
        ada.patch(job, {"applied_date": day(40)})
        assert history(ada, job) == [("applied", noon(40)), before[1]]
        ada.patch(job, {"applied_date": day(3)})
        assert history(ada, job) == before

    def test_saved_step_is_not_after_the_applied_one(self, ada: Api):
        job = create(ada, status="saved")
        (created,) = history(ada, job)
        ada.patch(job, {"status": "applied", "applied_date": day(30)})
        assert history(ada, job) == [("saved", noon(30)), ("applied", noon(30))]
        ada.patch(job, {"status": "offer"})
        ada.patch(job, {"applied_date": None})
        assert statuses(ada, job) == ["saved", "applied", "offer"]
        assert history(ada, job)[0] == created

    @pytest.mark.parametrize("status", ["recruiter_screen", "interviewing", "withdrawn"])
    def test_saved_job_was_applied_for_when_its_status_changes(self, ada: Api, status: str):
        job = create(ada, status="saved", applied_date=day(30))
        ada.patch(job, {"status": status})
        assert history(ada, job)[:2] == [("saved", noon(30)), ("applied", noon(30))]
        assert statuses(ada, job) == ["saved", "applied", status]

    def test_saved_job_that_is_archived_has_not_been_applied_for(self, ada: Api):
        job = create(ada, status="saved", applied_date=day(30))
        created = history(ada, job)
        ada.patch(job, {"status": "archived"})
        for date in (day(20), None, day(30)):
            ada.patch(job, {"applied_date": date})
            assert statuses(ada, job) == ["saved", "archived"]
            assert history(ada, job)[:1] == created
        assert applied(ada) == (0, 0)
        ada.patch(job, {"status": "offer"})
        assert statuses(ada, job) == ["saved", "applied", "archived", "offer"]
        ada.patch(job, {"status": "saved"})
        assert history(ada, job) == created

    def test_date_before_other_steps_is_a_step_of_its_own(self, ada: Api):
        job = create(ada, status="recruiter_screen")
        ada.patch(job, {"status": "applied"})
        before = history(ada, job)
        ada.patch(job, {"applied_date": day(30)})
        assert history(ada, job) == [("applied", noon(30)), *before]
        ada.patch(job, {"applied_date": day(40)})
        assert history(ada, job) == [("applied", noon(40)), *before]
        ada.patch(job, {"applied_date": day(0)})
        assert history(ada, job) == before

    def test_change_of_date_by_plain_sql_moves_the_step(self, ada: Api, connection: Connection):
        jobs = [create(ada), create(ada, status="offer"), create(ada, status="saved")]
        connection.execute(text("UPDATE jobs SET applied_date = :date"), {"date": day(7)})
        assert [history(ada, job)[0][1] == noon(7) for job in jobs] == [True, True, False]


class TestStepsOfTheUser:
    @pytest.mark.parametrize("days_ago", [40, 20, 5])
    def test_applied_step_that_the_user_entered_stays(self, ada: Api, days_ago: int):
        job = create(ada, status="interviewing")
        ada.post(f"{job}/history", {"status": "applied", "at": noon(20)})
        before = history(ada, job)
        for date in (day(days_ago), None):
            ada.patch(job, {"applied_date": date})
            assert history(ada, job) == before

    def test_step_that_was_entered_for_now_stays(self, ada: Api):
        job = create(ada, status="saved")
        ada.post(f"{job}/history", {"status": "applied"})
        before = history(ada, job)
        ada.patch(job, {"applied_date": day(20)})
        assert history(ada, job) == before

    def test_steps_that_the_user_entered_keep_their_places(self, ada: Api):
        job = create(ada, applied_date=day(30))
        ada.post(f"{job}/history", {"status": "saved", "at": noon(35)})
        ada.post(f"{job}/history", {"status": "interviewing", "at": noon(10)})
        entered = ("saved", noon(35)), ("interviewing", noon(10))
        for date, at in {
            day(15): noon(15),
            day(35): f"{day(35)}T12:00:00.000001Z",
            day(10): noon(10),
            day(5): noon(10),
        }.items():
            ada.patch(job, {"applied_date": date})
            assert history(ada, job) == [entered[0], ("applied", at), entered[1]]
        ada.patch(job, {"applied_date": day(40)})
        assert statuses(ada, job) == ["applied", "saved", "applied", "interviewing"]
        ada.patch(job, {"applied_date": None})
        assert statuses(ada, job) == ["saved", "applied", "interviewing"]

    def test_deletion_of_the_steps_after_it_makes_the_applied_one_the_latest(self, ada: Api):
        job = create(ada, status="interviewing", applied_date=day(30))
        latest = ada.get(f"{job}/history").json[-1]
        ada.delete(f"{job}/history/{latest['id']}")
        assert history(ada, job) == [("applied", noon(30))]
        (step,) = ada.get(f"{job}/history").json
        ada.refused(409, "DELETE", f"{job}/history/{step['id']}")
        ada.patch(job, {"applied_date": None})
        assert statuses(ada, job) == ["applied"]

    def test_deletion_of_the_applied_step_moves_the_saved_one_back(self, ada: Api):
        job = create(ada, status="saved", applied_date=day(30))
        before = history(ada, job)
        ada.patch(job, {"status": "applied"})
        latest = ada.get(f"{job}/history").json[-1]
        ada.delete(f"{job}/history/{latest['id']}")
        assert history(ada, job) == before

    def test_step_at_the_unix_epoch_stays_the_latest(self, ada: Api, connection: Connection):
        job = create(ada)
        ada.post(f"{job}/history", {"status": "offer", "at": "1970-01-01T00:00:00Z"})
        (_offer, first) = ada.get(f"{job}/history").json
        ada.delete(f"{job}/history/{first['id']}")
        ada.patch(job, {"applied_date": "1970-01-01"})
        assert history(ada, job) == [("offer", "1970-01-01T00:00:00Z")]


def test_full_history_takes_no_step_of_the_date(ada: Api, connection: Connection):
    job = create(ada, status="offer")
    connection.execute(
        text("""INSERT INTO job_steps (user_id, application_id, status, at)
                SELECT user_id, id, 'onsite', now() - n * interval '1 day'
                FROM jobs, generate_series(1, 199) n""")
    )
    ada.patch(job, {"applied_date": day(3)})
    assert ada.get(job).json["applied_date"] == day(3)
    assert statuses(ada, job) == ["onsite"] * 199 + ["offer"]
    connection.execute(text("SET jobtracker.history_per_job = 201"))
    ada.patch(job, {"applied_date": day(4)})
    connection.execute(text("RESET jobtracker.history_per_job"))
    assert statuses(ada, job).count("applied") == 1
