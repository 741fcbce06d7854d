"""What statements read, of a user with much in the trash: nothing of it."""

import contextlib
import datetime
import functools
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from jobtracker.activity.queries import COUNT_BY_TYPE
from jobtracker.board import queries as board
from jobtracker.documents.queries import DOCUMENTS
from jobtracker.errors import NotFound
from jobtracker.history.queries import STEPS
from jobtracker.interviews.queries import INTERVIEWS
from jobtracker.jobs import queries as jobs
from jobtracker.notes.queries import NOTES
from jobtracker.saved_views.queries import SAVED_VIEWS
from jobtracker.search import queries as search
from jobtracker.stats import queries as stats
from jobtracker.usage import queries as usage
from jobtracker.users.queries import USERS
from tests.common.api import Api
from tests.common.plans import Explained

LIVE, TRASHED = 10, 2000
# Jobs with a note each, and one job with as many notes in the trash.
MANY = f"""
    INSERT INTO jobs (user_id, company_name, job_title, trashed_at, trash_reason)
    SELECT id, 'Acme', 'Engineer ' || n, now(), 'user' FROM users, generate_series(1, {TRASHED}) n;
    INSERT INTO notes (user_id, application_id, body)
    SELECT user_id, id, 'They called back' FROM jobs;
    INSERT INTO activity (user_id, application_id, type, message)
    SELECT user_id, id, 'note_added', 'Note added' FROM jobs, generate_series(1, 3);
    INSERT INTO job_steps (user_id, application_id, status) SELECT user_id, id, 'applied' FROM jobs;
    INSERT INTO notes (user_id, application_id, body, trashed_at, trash_reason)
    SELECT user_id, min(id), 'They called back', now(), 'user'
    FROM jobs, generate_series(1, {TRASHED // LIVE}) WHERE trashed_at IS NULL GROUP BY user_id, id;
    INSERT INTO saved_views (user_id, name, data, trashed_at, trash_reason)
    SELECT id, n, '{{}}', now(), 'user' FROM users, generate_series(1, {TRASHED}) n
"""  # noqa: S608
TABLES = (
    "jobs, notes, activity, interviews, documents, job_steps, saved_views, job_words, note_words,"
    " job_journeys, users"
)


def reads(of: Any, user_id: int, job_id: int) -> list[Callable[[], Any]]:
    """All reads that have to do with more than one row, by a connection."""
    user, owner = {"user_id": user_id}, {"user_id": user_id, "application_id": job_id}
    month = datetime.timedelta(days=30)
    filters: Any = {"sort": "status", "q": "acme", "tag": ["a"], "tag_q": "b"}
    calls: list[Callable[[], Any]] = [
        lambda: jobs.page(of, user_id, limit=50),
        lambda: jobs.page(of, user_id, limit=None),
        lambda: jobs.page(of, user_id, limit=50, **filters),
        lambda: board.page(of, user_id, None, None),
        lambda: board.count_by_status(of, user_id),
        lambda: stats.funnel(of, user_id),
        lambda: search.search(of, user_id, "they called acme", limit=20),
        lambda: SAVED_VIEWS.page(of, user, 50),
        lambda: SAVED_VIEWS.count(of, user),
        lambda: USERS.find(of, {}, user_id),
        lambda: COUNT_BY_TYPE.all(of, **user, period=month),
    ]
    for each in (NOTES, INTERVIEWS, DOCUMENTS, STEPS):
        repository: Any = each
        calls += [
            functools.partial(repository.page, of, owner, 50),
            functools.partial(repository.page, of, owner, 5000),
            functools.partial(repository.count, of, owner),
        ]
    return calls


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_no_statement_reads_the_trash(ada: Api, connection: Connection, mode: str):
    body = {"company_name": "Acme", "job_title": "Engineer"}
    job_id, *_ = (ada.post("/jobs", body).json["id"] for _ in range(LIVE))
    ada.post(f"/jobs/{job_id}/notes", {"body": "They called back"})
    user_id = ada.get("/users/me").json["id"]
    driver: Any = connection.connection.dbapi_connection
    driver.execute("SET LOCAL session_replication_role = replica")
    driver.execute(MANY)
    driver.execute("SET LOCAL session_replication_role = origin")
    driver.execute(f"ANALYZE {TABLES}")
    driver.execute(f"SET LOCAL plan_cache_mode = {mode}")
    # What is small here is large elsewhere.
    driver.execute("SET LOCAL enable_seqscan = off")
    search.parse(driver, "they called acme")
    explained = Explained(driver)
    for call in reads(explained, user_id, job_id):
        with contextlib.suppress(NotFound):  # EXPLAIN returns no row of the statement's
            call()
    assert len(explained.nodes) > 50
    of_usage = Explained(driver)
    with contextlib.suppress(NotFound):
        usage.read(of_usage, user_id)
    # Of the others, usage counts what is in the trash.
    tables = ("activity", "job_steps")
    explained.nodes += [each for each in of_usage.nodes if each.get("Relation Name") in tables]
    for node in explained.nodes:
        removed = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
        rows = (node["Actual Rows"] + removed) * node["Actual Loops"]
        assert rows <= LIVE * 15, node


def test_statements_do_not_look_for_each_job_as_a_few_are_in_the_trash(
    ada: Api, connection: Connection
):
    body = {"company_name": "Acme", "job_title": "Engineer"}
    job_ids = [ada.post("/jobs", body).json["id"] for _ in range(LIVE)]
    for job_id in job_ids:
        ada.post(f"/jobs/{job_id}/notes", {"body": "They called back"})
    ada.delete(f"/jobs/{job_ids[0]}", status=204)
    user_id = ada.get("/users/me").json["id"]
    explained = Explained(connection.connection.dbapi_connection)
    with contextlib.suppress(NotFound):
        usage.read(explained, user_id)
    COUNT_BY_TYPE.all(explained, user_id=user_id, period=datetime.timedelta(days=30))
    of_children = [
        node
        for node in explained.nodes
        if node.get("Relation Name") in ("notes", "activity", "job_steps") and node["Actual Loops"]
    ]
    assert of_children
    assert {node["Actual Loops"] for node in of_children} == {1}
