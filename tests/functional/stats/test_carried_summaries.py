"""Summaries that are carried on: equal to those of all steps, at a cost that does not grow."""

import datetime
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobtracker.jobs.models import Status
from tests.common.api import Api

SUMMARY = """
    SELECT began, status, since, rung, source, reached, went_on, edges, steps, visits, advances,
           days
    FROM job_journeys WHERE application_id = :job
"""
# Statuses that recur, so that all kinds of transitions do.
POOLS = (
    list(Status),
    ["saved", "applied", "interviewing", "archived"],
    ["accepted", "archived", "rejected", "offer"],
)
LATER = (
    "greatest(statement_timestamp(), (SELECT max(at) FROM job_steps WHERE application_id = :job))"
)
TODAY = datetime.datetime.now(datetime.UTC).date().isoformat()
EARLIER = "now() - :days * interval '1 day'"


class Steps:
    """The steps of a job, changed by SQL."""

    def __init__(self, connection: Connection, job_id: int) -> None:
        self.connection, self.job_id = connection, job_id

    def run(self, statement: str, **parameters: Any) -> Any:
        return self.connection.execute(text(statement), {"job": self.job_id, **parameters})

    def insert(self, statuses: list[str], at: str, **parameters: Any) -> None:
        self.run(
            f"""INSERT INTO job_steps (user_id, application_id, status, at)
                SELECT user_id, id, unnest(CAST(:statuses AS text[])), {at}
                FROM jobs WHERE id = :job""",  # noqa: S608 (from above)
            statuses=list(map(str, statuses)),
            **parameters,
        )

    def delete_last(self, number: int) -> None:
        self.run(
            """DELETE FROM job_steps WHERE id IN (
                   SELECT id FROM job_steps WHERE application_id = :job
                   ORDER BY at DESC, id DESC LIMIT :number)""",
            number=number,
        )

    def delete_first(self) -> None:
        self.run("""DELETE FROM job_steps WHERE id = (
                        SELECT id FROM job_steps WHERE application_id = :job
                        ORDER BY at, id LIMIT 1)""")

    def move(self, days: int) -> None:
        self.run(
            "UPDATE job_steps SET at = at - :days * interval '1 day' WHERE application_id = :job",
            days=days,
        )

    def summary(self) -> Any:
        row = self.run(SUMMARY).first()
        return row and (*row[:-1], [each and pytest.approx(each, abs=1e-9) for each in row.days])


@pytest.fixture
def steps(ada: Api, connection: Connection) -> Steps:
    return Steps(connection, ada.post("/jobs", {"company_name": "x", "job_title": "y"}).json["id"])


@pytest.mark.parametrize("seed", range(12))
def test_summary_that_is_carried_on_equals_that_of_all_steps(steps: Steps, seed: int):
    chance = random.Random(seed)  # noqa: S311
    pool = POOLS[seed % len(POOLS)]
    for _ in range(30):
        statuses = chance.choices(pool, k=chance.choice([1, 1, 1, 2, 30]))
        change: Callable[[], None] = chance.choice(
            [
                lambda: steps.insert(statuses, LATER),  # noqa: B023 (called in this round)
                lambda: steps.insert(statuses, LATER),  # noqa: B023
                lambda: steps.insert(statuses[:1], EARLIER, days=chance.randint(1, 5)),  # noqa: B023
                lambda: steps.delete_last(chance.randint(1, 3)),
                steps.delete_first,
                lambda: steps.move(chance.randint(0, 3)),
            ]
        )
        change()
        carried = steps.summary()
        steps.run("SELECT summarize_steps(user_id, id) FROM jobs WHERE id = :job")
        assert carried == steps.summary()


def rows_read(connection: Connection, act: Callable[[], Any]) -> int:
    """The rows of job_steps that the test's transaction reads meanwhile."""
    query = text("""SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
                    WHERE relname = 'job_steps'""")
    before = connection.execute(query).scalar_one()
    act()
    return connection.execute(query).scalar_one() - before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"status": "offer"}),
        ("PATCH", "", {"status": "applied"}),  # the status before: the step is deleted
        ("PATCH", "", {"status": "archived"}),
        ("PATCH", "", {"applied_date": TODAY, "status": "onsite"}),
        ("POST", "/history", {"status": "saved"}),
        ("DELETE", "/history/{last}", None),
    ],
)
def test_change_of_the_status_reads_as_many_steps_of_a_long_history_as_of_a_short_one(
    ada: Api,
    steps: Steps,
    connection: Connection,
    method: str,
    path: str,
    body: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    settings = ada.app.app.registry.settings
    monkeypatch.setitem(settings, "quotas.history_per_job", 100_000)
    connection.execute(text("SET LOCAL jobtracker.history_per_job = 100000"))
    # The table has the steps of this job alone: any plan would do.
    for name in ("seqscan", "sort", "bitmapscan"):
        connection.execute(text(f"SET LOCAL enable_{name} = off"))
    read = []
    for number in (20, 1000):
        steps.insert(["saved", "interviewing"] * number, EARLIER, days=30)
        ada.patch(f"/jobs/{steps.job_id}", {"status": "applied"}, status=200)
        ada.patch(f"/jobs/{steps.job_id}", {"status": "recruiter_screen"}, status=200)
        connection.execute(text("ANALYZE job_steps"))
        last = steps.run("SELECT max(id) FROM job_steps WHERE application_id = :job").scalar()
        url = f"/jobs/{steps.job_id}{path.format(last=last)}"
        read.append(
            rows_read(connection, lambda: ada.call(method, url, body, status="2*"))  # noqa: B023
        )
    assert read[1] <= read[0] + 10
