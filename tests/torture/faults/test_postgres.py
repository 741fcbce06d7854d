"""PostgreSQL refuses, stalls, disconnects or restarts: 503 in bounded time, nothing half done, and
recovery without a restart of the server."""

import functools
import time
from typing import NamedTuple

import psycopg
import pytest

from jobtracker.local.postgres import Postgres
from tests.common.concurrency import run_concurrently
from tests.torture.client import JOB, RESUME, Answer, Client, unique
from tests.torture.faults.faults import (
    FAULTS,
    Call,
    Proxies,
    Report,
    all_faults,
    attempt,
    call_during_fault,
    call_until_recovered,
)

pytestmark = pytest.mark.torture


class DatabaseWork(NamedTuple):
    """Requests that need PostgreSQL: one for each thread of the server."""

    client: Client
    rows: psycopg.Connection
    job: str
    title: str
    calls: list[Call]

    @classmethod
    def of(cls, client: Client, rows: psycopg.Connection) -> "DatabaseWork":
        job, title = client.make_job(), unique("title")
        note = client.done("POST", f"{job}/notes", {"body": "x"})["id"]
        calls = [
            Call("GET", "/users/me"),
            Call("GET", "/jobs"),
            Call("GET", job),
            Call("POST", "/jobs", {**JOB, "job_title": title}, key=unique()),
            Call("PATCH", job, {"company_name": title, "job_title": title}),
            Call("POST", f"{job}/notes", {"body": title}, key=unique()),
            Call("DELETE", f"{job}/notes/{note}"),
            Call("POST", f"{job}/documents/presign-upload", RESUME, key=unique()),
        ]
        return cls(client, rows, job, title, calls)

    @property
    def last(self) -> list[Call]:
        """The calls that must succeed in the end. The note of DELETE may be deleted already."""
        return [call for call in self.calls if call.method != "DELETE"]

    def counted(self) -> dict[str, int]:
        """How often each effect is in the database."""
        questions = {
            "POST": "SELECT count(*) FROM jobs WHERE job_title = %(title)s AND id != %(id)s",
            "company": "SELECT count(*) FROM jobs WHERE company_name = %(title)s AND id = %(id)s",
            "title": "SELECT count(*) FROM jobs WHERE job_title = %(title)s AND id = %(id)s",
            "note": "SELECT count(*) FROM notes WHERE body = %(title)s",
            "document": "SELECT count(*) FROM documents WHERE application_id = %(id)s",
        }
        parameters = {"title": self.title, "id": int(self.job.rpartition("/")[2])}
        counted = {}
        for name, question in questions.items():
            (count,) = self.rows.execute(question, parameters).fetchone() or (0,)
            counted[name] = count
        return counted


@all_faults
def test_fault_of_postgres_answers_503_and_recovers(
    client: Client, proxies: Proxies, rows: psycopg.Connection, report: Report, fault: str
):
    work = DatabaseWork.of(client, rows)
    FAULTS[fault](proxies.postgres)
    call_during_fault(report, "PostgreSQL", fault, client, work.calls)
    assert set(work.counted().values()) == {0}  # no effect of a refused request
    proxies.postgres.forward()
    call_until_recovered(report, "PostgreSQL", fault, client, work.last)
    assert set(work.counted().values()) == {1}
    assert report.problems == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_outage_in_the_requests_of_one_pool_causes_no_error_in_those_of_the_other(
    client: Client, proxies: Proxies, rows: psycopg.Connection, report: Report, method: str
):
    """Of all requests of a user, the first two may be refused by PostgreSQL, the others unseen."""
    work = DatabaseWork.of(client, rows)
    fault = f"lost, {method} only"
    FAULTS["lost"](proxies.postgres)
    calls = [call for call in work.calls if call.method == method]
    call_during_fault(report, "PostgreSQL", fault, client, calls)
    proxies.postgres.forward()
    call_until_recovered(report, "PostgreSQL", fault, client, work.last)
    assert report.problems == []


@pytest.mark.parametrize("after", [200, 400, 600, 800, 1000, 1200, 1500, 2000])
def test_disconnect_of_postgres_at_any_byte_leaves_nothing_half_done(
    client: Client, proxies: Proxies, rows: psycopg.Connection, report: Report, after: int
):
    """Also within the response to COMMIT: an error may then be wrong, but nothing is half done, and
    a repetition with the same key has no second effect."""
    work = DatabaseWork.of(client, rows)
    proxies.postgres.cut(after)
    calls = [call for call in work.calls if call.method != "GET"]
    answers = run_concurrently([functools.partial(attempt, client, call) for call in calls])
    for call, answer in zip(calls, answers, strict=True):
        status = answer.status if isinstance(answer, Answer) else 503
        expected = call._replace(status=503 if status >= 300 else status)
        report.check("PostgreSQL", f"cut after {after} B", expected, answer)
    counted = work.counted()
    assert counted["company"] == counted["title"]
    assert set(counted.values()) <= {0, 1}
    proxies.postgres.forward()
    call_until_recovered(report, "PostgreSQL", f"cut after {after} B", client, work.last)
    assert set(work.counted().values()) == {1}
    assert report.problems == []


@pytest.mark.parametrize("fault", ["refuse", "cut at once", "restart"])
def test_fault_of_postgres_between_requests_causes_no_error(
    client: Client,
    dedicated_postgres: Postgres,
    proxies: Proxies,
    rows: psycopg.Connection,
    report: Report,
    fault: str,
):
    work = DatabaseWork.of(client, rows)
    assert proxies.postgres.open_connections > 0
    if fault == "restart":
        rows.close()
        dedicated_postgres.stop()
        dedicated_postgres.start()
    else:
        FAULTS[fault](proxies.postgres)
        proxies.postgres.forward()
    call_until_recovered(report, "PostgreSQL", f"{fault}, unseen", client, work.last)
    assert report.problems == []


def test_restart_of_postgres_answers_503_and_recovers(
    client: Client, dedicated_postgres: Postgres, rows: psycopg.Connection, report: Report
):
    work = DatabaseWork.of(client, rows)
    rows.close()
    dedicated_postgres.stop()
    call_during_fault(report, "PostgreSQL", "stopped", client, work.calls)
    dedicated_postgres.start()
    call_until_recovered(report, "PostgreSQL", "stopped", client, work.last)
    assert report.problems == []


def test_read_only_postgres_answers_503_to_writes_and_recovers(
    client: Client, rows: psycopg.Connection, report: Report
):
    work = DatabaseWork.of(client, rows)
    rows.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    rows.execute("SELECT pg_reload_conf()")
    try:
        time.sleep(0.5)  # until all sessions have reloaded the configuration
        reads = [call._replace(status=200) for call in work.calls if call.method == "GET"]
        writes = [call for call in work.calls if call.method != "GET"]
        call_during_fault(report, "PostgreSQL", "read-only", client, reads + writes)
        assert set(work.counted().values()) == {0}
    finally:
        rows.execute("SET default_transaction_read_only = off")
        rows.execute("ALTER SYSTEM RESET default_transaction_read_only")
        rows.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)
    call_until_recovered(report, "PostgreSQL", "read-only", client, work.last)
    assert set(work.counted().values()) == {1}
    assert report.problems == []
