"""The retention under concurrent changes: real transactions, with committed rows."""

import datetime
import re
from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker.retention import queries
from tests.common.api import Api
from tests.common.concurrency import repeat_concurrently

IDLE = """
    UPDATE jobs SET last_activity_at = now() - interval '60 days';
    UPDATE users SET data_retention_changed_at = now() - interval '8 days'
"""
REOPEN = "UPDATE jobs SET status = 'applied', last_activity_at = now()"
TOUCH = "UPDATE jobs SET last_activity_at = now()"
KEEP = "UPDATE users SET data_retention_days = 0"
TRASHED = "SELECT count(*) FROM jobs WHERE trash_reason = 'retention'"


@pytest.fixture
def due_job(client: Api, engine: Engine, job: str) -> str:
    client.patch(job, {"status": "rejected"})
    client.put("/users/me/settings", {"data_retention_days": 30})
    with engine.begin() as connection:
        for statement in IDLE.split(";"):
            connection.execute(text(statement))
    return job


def number_of_trashed(engine: Engine) -> int:
    with engine.begin() as connection:
        return connection.execute(text(TRASHED)).scalar_one()


@pytest.mark.parametrize("change", [REOPEN, TOUCH, KEEP], ids=["reopened", "touched", "kept"])
@pytest.mark.usefixtures("due_job")
def test_job_that_is_changed_concurrently_stays(committing_app: Any, engine: Engine, change: str):
    sessions = committing_app.registry["db_sessions"]
    with engine.begin() as connection:
        connection.execute(text(change))
        assert queries.sweep(sessions) == 0  # without waiting for the change
    assert queries.sweep(sessions) == 0
    assert number_of_trashed(engine) == 0


@pytest.mark.usefixtures("due_job")
def test_job_that_is_reopened_after_it_was_found_stays(
    committing_app: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    """The condition is checked again under the lock: here between the two statements."""
    trash_jobs = queries._trash_jobs

    def reopen_and_trash(*arguments: Any) -> int:
        with engine.begin() as connection:
            connection.execute(text(REOPEN))
        return trash_jobs(*arguments)

    monkeypatch.setattr(queries, "_trash_jobs", reopen_and_trash)
    assert queries.sweep(committing_app.registry["db_sessions"]) == 0
    assert number_of_trashed(engine) == 0


@pytest.mark.usefixtures("due_job")
def test_setting_cannot_change_while_jobs_are_put_into_the_trash(
    committing_app: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    lock_jobs, locked = queries._LOCK_DUE_JOBS, []

    class LockDueJobs:
        def all(self, *arguments: Any, **options: Any) -> Any:
            jobs = lock_jobs.all(*arguments, **options)
            with engine.connect() as connection:
                free = "SELECT id FROM users WHERE id = :user_id FOR NO KEY UPDATE SKIP LOCKED"
                user_id = {"user_id": options["user_id"]}
                locked.append(not connection.execute(text(free), user_id).all())
            return jobs

    monkeypatch.setattr(queries, "_LOCK_DUE_JOBS", LockDueJobs())
    assert queries.sweep(committing_app.registry["db_sessions"]) == 1
    assert locked == [True]


@pytest.mark.usefixtures("due_job")
def test_concurrent_sweeps_take_a_job_once(committing_app: Any, engine: Engine):
    sessions = committing_app.registry["db_sessions"]
    assert sum(repeat_concurrently(lambda _number: queries.sweep(sessions))) == 1
    assert number_of_trashed(engine) == 1


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (queries._NEXT_USERS, "ix_users_retention"),
        (queries._HAVE_DUE_JOBS, "ix_jobs_closed"),
        (queries._LOCK_DUE_JOBS, "ix_jobs_closed"),
        (queries._READ, "ix_jobs_closed"),
    ],
)
def test_indexes_find_users_and_jobs(engine: Engine, statement: Any, index: str):
    """Of users those who have a retention are read, of jobs those that are closed."""
    sql, parameters = statement._compiled
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", sql)))
    for number, name in enumerate(names, start=1):
        sql = sql.replace(f"%({name})s", f"${number}")
    is_interval = {name: isinstance(parameters.get(name), datetime.timedelta) for name in names}
    types = ", ".join("interval" if is_interval[name] else "unknown" for name in names)
    nulls = ", ".join(["NULL"] * len(names))
    with engine.begin() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.execute("ANALYZE users, jobs")
        driver.execute(f"PREPARE statement ({types}) AS {sql}")
        # As it is planned once it is prepared, without values; there are too few rows for an index.
        driver.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        driver.execute("SET LOCAL enable_seqscan = off")
        plan = driver.execute(f"EXPLAIN EXECUTE statement({nulls})").fetchall()
        driver.execute("DEALLOCATE statement")
    assert index in str(plan)
