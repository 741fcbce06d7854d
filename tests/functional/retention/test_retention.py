"""The retention: closed jobs without activity go to the trash, by the setting and not before."""

import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobtracker.db.trash import TrashReason
from jobtracker.jobs.models import CLOSED_STATUSES, Status
from jobtracker.retention import queries
from jobtracker.sweep import sweep
from tests.common.api import Api
from tests.common.conditional import send

PATH = "/users/me/retention"
DAY = datetime.timedelta(days=1)
MOMENT = datetime.timedelta(microseconds=1)
#: A year from now: whatever the test has done before is older than any period of it.
NOW = datetime.datetime.now(datetime.UTC) + 365 * DAY


@pytest.fixture
def account(app: Any, ada: Api, connection: Connection) -> "Account":
    return Account(app, ada, connection)


class Account:
    """A user, times of the rows, and sweeps at given times."""

    def __init__(self, app: Any, api: Api, connection: Connection) -> None:
        self.app, self.api, self.connection = app, api, connection

    def make_job(self, idle: datetime.timedelta, status: str = "rejected") -> int:
        """A job without activity for that time at :data:`NOW`."""
        body = {"company_name": "Acme", "job_title": "x", "status": status}
        job_id: int = self.api.post("/jobs", body).json["id"]
        self.execute(
            "UPDATE jobs SET last_activity_at = :at WHERE id = :id", at=NOW - idle, id=job_id
        )
        return job_id

    def retain(self, days: int, unchanged: datetime.timedelta = 7 * DAY) -> None:
        """Set the days, which have not changed for that time at :data:`NOW`."""
        self.api.put("/users/me/settings", {"data_retention_days": days})
        changed = "UPDATE users SET data_retention_changed_at = :at WHERE id = :id"
        self.execute(changed, at=NOW - unchanged, id=self.api.get("/users/me").json["id"])

    def execute(self, statement: str, **parameters: Any) -> Any:
        return self.connection.execute(text(statement), parameters)

    def sweep(self, now: datetime.datetime = NOW) -> int:
        return queries.sweep(self.app.registry["db_sessions"], now)

    def trashed(self) -> set[int]:
        """The jobs that are in the trash by the retention."""
        rows = self.execute("SELECT id, trash_reason FROM jobs WHERE trashed_at IS NOT NULL").all()
        assert {row.trash_reason for row in rows} <= {TrashReason.RETENTION}
        return {row.id for row in rows}

    def restore(self, job_id: int, at: datetime.datetime) -> None:
        live = "UPDATE jobs SET trashed_at = NULL, trash_reason = NULL WHERE id = :id"
        self.execute(live, id=job_id)
        assert self.execute("SELECT restored_at FROM jobs WHERE id = :id", id=job_id).scalar()
        self.execute("UPDATE jobs SET restored_at = :at WHERE id = :id", id=job_id, at=at)


def test_closed_jobs_alone_are_taken(account: Account):
    jobs = {status: account.make_job(31 * DAY, status) for status in Status}
    account.retain(30)
    assert account.sweep() == len(CLOSED_STATUSES) == 4
    assert account.trashed() == {jobs[status] for status in CLOSED_STATUSES}
    assert account.sweep() == 0


@pytest.mark.parametrize(("days", "period"), [(1, 30), (9, 30), (30, 30), (31, 31), (3650, 3650)])
def test_job_is_taken_after_the_period_and_no_moment_before(
    account: Account, days: int, period: int
):
    job_id = account.make_job(period * DAY)
    account.retain(days, unchanged=8 * DAY)
    assert account.sweep(NOW - MOMENT) == 0
    assert account.sweep(NOW) == 1
    assert account.trashed() == {job_id}


def test_setting_is_effective_after_seven_days_and_no_moment_before(account: Account):
    account.make_job(100 * DAY)
    account.retain(9)
    assert account.sweep(NOW - MOMENT) == 0
    assert account.sweep(NOW) == 1


def test_each_change_of_the_setting_begins_the_seven_days_again(account: Account):
    account.make_job(100 * DAY)
    account.retain(9)
    account.api.put("/users/me/settings", {"data_retention_days": 90})
    changed_at = account.execute("SELECT data_retention_changed_at FROM users").scalar_one()
    assert changed_at < NOW - 300 * DAY
    now = changed_at + 7 * DAY
    account.execute("UPDATE jobs SET last_activity_at = :at", at=now - 100 * DAY)
    assert account.sweep(now - MOMENT) == 0
    assert account.sweep(now) == 1


def test_same_value_and_other_settings_do_not_change_the_time(account: Account):
    account.retain(90)
    before = account.api.get(PATH).json["effective_from"]
    for body in ({"data_retention_days": 90}, {"theme": "light", "data_retention_days": 90}, {}):
        account.api.put("/users/me/settings", body)
    account.api.patch("/users/me/ui-preferences", {"preferences": {"a": True}})
    assert account.api.get(PATH).json["effective_from"] == before


def test_zero_days_retain_for_ever(account: Account):
    account.make_job(5000 * DAY)
    account.retain(30)
    account.retain(0)
    assert account.sweep() == 0
    nothing = {"days": 0, "effective_from": None, "due_jobs": 0, "next_at": None}
    assert account.api.get(PATH).json == nothing


def test_jobs_of_each_user_are_taken_by_the_users_own_setting(
    account: Account, bob: Api, app: Any, connection: Connection
):
    other = Account(app, bob, connection)
    jobs = [account.make_job(50 * DAY), other.make_job(50 * DAY)]
    account.retain(60)
    other.retain(40)
    assert account.sweep() == 1
    assert account.trashed() == {jobs[1]}
    assert account.api.get(PATH).json["days"] == 60
    assert bob.get(PATH).json["days"] == 40


def test_more_users_and_jobs_than_a_batch_are_taken(
    account: Account, bob: Api, monkeypatch: pytest.MonkeyPatch, app: Any, connection: Connection
):
    monkeypatch.setattr(queries, "USERS", 1)
    monkeypatch.setattr(queries, "BATCH", 2)
    for one in (account, Account(app, bob, connection)):
        one.retain(30)
        for _ in range(5):
            one.make_job(31 * DAY)
    assert account.sweep() == 10


def test_job_in_the_trash_stays_as_it_is(account: Account):
    job_id = account.make_job(100 * DAY)
    account.retain(30)
    account.sweep()
    before = account.execute("SELECT * FROM jobs").one()
    assert account.sweep(NOW + 100 * DAY) == 0
    assert account.execute("SELECT * FROM jobs").one() == before
    assert before.id == job_id


def test_restored_job_is_taken_again_after_another_period(account: Account):
    job_id = account.make_job(100 * DAY)
    account.retain(40)
    assert account.sweep() == 1
    account.restore(job_id, at=NOW)
    assert account.sweep(NOW) == 0
    assert account.sweep(NOW + 40 * DAY - MOMENT) == 0
    assert account.sweep(NOW + 40 * DAY) == 1


def test_sweeper_puts_due_jobs_into_the_trash(account: Account, capsys: pytest.CaptureFixture[str]):
    account.make_job(400 * DAY)
    account.retain(30, unchanged=400 * DAY)
    for number in (1, 0):
        assert sweep(account.app.registry) is None
        assert f"jobs put into the trash: {number}," in capsys.readouterr().out


def times(account: Account) -> dict[str, Any]:
    """The response, with times as days from :data:`NOW`."""
    found = account.api.get(PATH).json
    for name in ("effective_from", "next_at"):
        if found[name] is not None:
            at = datetime.datetime.fromisoformat(found[name])
            found[name] = round((at - NOW) / DAY, 6)
    return found


def test_response_counts_the_jobs_of_the_next_run(account: Account):
    # The present time is 365 days before NOW.
    account.retain(30, unchanged=380 * DAY)
    effective = {"days": 30, "effective_from": -373}
    assert times(account) == {**effective, "due_jobs": 0, "next_at": None}
    account.make_job(396 * DAY)
    account.make_job(396 * DAY, "offer")
    assert times(account) == {**effective, "due_jobs": 1, "next_at": None}
    account.make_job(390 * DAY)
    account.make_job(380 * DAY)
    assert times(account) == {**effective, "due_jobs": 1, "next_at": -360}
    # From 2 days hence on.
    account.retain(9, unchanged=370 * DAY)
    effective = {"days": 9, "effective_from": -363}
    assert times(account) == {**effective, "due_jobs": 1, "next_at": -360}
    account.make_job(394 * DAY)
    assert times(account) == {**effective, "due_jobs": 2, "next_at": -360}
    sweep(account.app.registry)
    assert account.trashed() == set()
    assert account.sweep(NOW - 363 * DAY) == 2
    assert times(account) == {**effective, "due_jobs": 0, "next_at": -360}


def test_response_counts_from_the_restoration(account: Account):
    account.retain(30, unchanged=400 * DAY)
    job_id = account.make_job(500 * DAY)
    account.sweep(NOW - 365 * DAY)
    assert account.trashed() == {job_id}
    assert times(account)["due_jobs"] == 0
    account.restore(job_id, at=NOW - 370 * DAY)
    assert times(account) == {"days": 30, "effective_from": -393, "due_jobs": 0, "next_at": -340}


def test_etag_changes_when_a_job_becomes_due(account: Account):
    account.retain(30, unchanged=400 * DAY)
    account.make_job(31 * DAY)
    first = send(account.api, PATH)
    assert send(account.api, PATH, If_None_Match=first.headers["ETag"]).status_code == 304
    assert first.json["due_jobs"] == 0
    # Due while nothing is written: its time comes nearer, and the revision stays the same.
    account.execute("SET LOCAL session_replication_role = replica")
    soon = "UPDATE jobs SET last_activity_at = statement_timestamp() - interval '30 days' + :soon"
    account.execute(soon, soon=datetime.timedelta(seconds=1))
    account.execute("SET LOCAL session_replication_role = origin")
    second = send(account.api, f"{PATH}?uncached=1")
    etag = second.headers["ETag"]
    while send(account.api, f"{PATH}?uncached=1", If_None_Match=etag).status_code == 304:
        pass
    third = send(account.api, f"{PATH}?uncached=1")
    assert (third.json["due_jobs"], third.json["next_at"]) == (1, None)
    assert third.headers["ETag"] != etag
