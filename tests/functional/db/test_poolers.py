"""The application behind PgBouncer, in session and in transaction mode."""

import datetime
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from webtest import TestApp

import jobtracker
from jobtracker.db.connections import autocommit, transaction
from jobtracker.local.postgres import Postgres
from jobtracker.local.process import wait_until
from jobtracker.local.server import working
from jobtracker.tasks import notifications
from jobtracker.tasks.kinds import TASK_KINDS, TaskKind
from jobtracker.tasks.queries import enqueue
from tests.common import exports, imports
from tests.common.api import Api
from tests.common.app import dispose_engines, forget_tokens
from tests.common.concurrency import run_concurrently
from tests.common.pgbouncer import PgBouncer
from tests.common.pooled import (
    IS_INSTALLED,
    REASON,
    ROLE,
    SESSION_SETTINGS,
    make_pooled_database,
    run_pgbouncer,
)
from tests.common.trash import in_trash
from tests.common.user_pool import PASSWORD, MotoUserPool

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason=REASON)

JOB = {"company_name": "Acme", "job_title": "Tester"}
USERS = 8
ROUNDS = 5
SESSIONS = 2
SECONDS_TO_LOCK = 10


@pytest.fixture(scope="module")
def database_url(postgres: Postgres, settings: dict[str, str]) -> str:
    return make_pooled_database(postgres, settings, "pooled")


@pytest.fixture(scope="module", params=["session", "transaction"])
def pgbouncer(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[PgBouncer]:
    # Fewer sessions than concurrent transactions: none may wait for a second one.
    options = {"default_pool_size": str(SESSIONS)} if request.param == "transaction" else {}
    with run_pgbouncer(postgres, request.param, options) as server:
        yield server


@pytest.fixture(scope="module")
def pooled_app(
    pgbouncer: PgBouncer, database_url: str, settings: dict[str, str], user_pool: MotoUserPool
) -> Iterator[Any]:
    own = {
        "sqlalchemy.url": pgbouncer.url("pooled", ROLE),
        "sqlalchemy.session_settings": "role",
        "sqlalchemy.prepare": "false",
        "quotas.activity_per_job": "3",
    }
    app = jobtracker.main({}, **{**settings, **own})
    yield app
    dispose_engines(app)


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    """A direct connection, as a superuser."""
    url = database_url.replace(f"{ROLE}@", "postgres@", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
        connection.execute("TRUNCATE users, tasks CASCADE")


@pytest.fixture
def client(pooled_app: Any, database: psycopg.Connection, user_pool: MotoUserPool) -> Iterator[Api]:
    yield Api(TestApp(pooled_app), user_pool.user("ada@example.com", "Ada").access_token)
    forget_tokens(pooled_app)


@pytest.fixture
def job(client: Api) -> str:
    return f"/jobs/{client.post('/jobs', JOB).json['id']}"


def test_server_is_ready(client: Api):
    for _ in range(2):
        assert client.get("/ready").json == {"status": "ready"}


def test_jobs_are_made_read_changed_and_deleted(client: Api, job: str):
    etag = client.get(job).headers["ETag"]
    client.get(job, headers={"If-None-Match": etag}, status=304)
    version = client.patch(job, {"location": "Graz"}, headers={"If-Match": etag}).headers["ETag"]
    client.refused(412, "PATCH", job, {"location": "Linz"}, headers={"If-Match": etag})
    assert client.get(job).json["location"] == "Graz"
    client.post(f"{job}/notes", {"body": "They called back."})
    client.patch(job, {"status": "interviewing"}, headers={"If-Match": version})
    assert [step["status"] for step in client.get(f"{job}/history").json] == [
        "applied",
        "interviewing",
    ]
    found = client.get("/jobs/search?q=called").json
    assert JOB["company_name"] in str(found)
    assert JOB["company_name"] in str(client.get("/jobs/board").json)
    client.delete(job)
    client.refused(404, "GET", job)


def test_idempotency_key_has_one_effect_under_concurrency(client: Api):
    def post() -> Any:
        headers = {"Idempotency-Key": "pooled"}
        return client.post("/jobs", JOB, headers=headers, status="*")

    answers = run_concurrently([post] * 4)
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.json["id"] for answer in answers if answer.status_code == 201}
    assert made == {job["id"] for job in client.get("/jobs").json}
    assert len(made) == 1


def test_statements_of_concurrent_users_keep_their_values(client: Api, user_pool: MotoUserPool):
    emails = [f"user-{number}@example.com" for number in range(USERS)]
    # One after the other: moto's user pool is not thread-safe.
    tokens = [user_pool.user(email, "x").access_token for email in emails]

    def use(number: int) -> None:
        mine = client.signed_in(tokens[number])
        assert mine.get("/users/me").json["email"] == emails[number]
        for count in range(ROUNDS):
            company = f"{number}-{count}"
            made = mine.post("/jobs", {**JOB, "company_name": company}).json
            path = f"/jobs/{made['id']}"
            mine.post(f"{path}/notes", {"body": company})
            mine.patch(path, {"location": company})
            read = mine.get(path).json
            assert (read["company_name"], read["location"]) == (company, company)
            assert [note["body"] for note in read["notes"]] == [company]
        expected = {f"{number}-{count}" for count in range(ROUNDS)}
        assert {job["company_name"] for job in mine.get("/jobs").json} == expected

    with ThreadPoolExecutor(USERS) as threads:
        list(threads.map(use, range(USERS)))


def test_sessions_have_time_outs_and_utc(client: Api, pooled_app: Any, job: str):
    names = ", ".join(f"current_setting('{name}')" for name in SESSION_SETTINGS)
    expected = tuple(SESSION_SETTINGS.values())
    with transaction(pooled_app.registry["db_sessions"]) as connection:
        assert connection.execute(f"SELECT {names}").fetchone() == expected
        with autocommit(pooled_app.registry) as other:  # in another session
            assert other.execute(f"SELECT {names}").fetchone() == expected
    text = client.get(job).json["created_at"]
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(text)
    assert text.endswith("Z")
    assert abs(age) < datetime.timedelta(minutes=1)


def test_quotas_of_triggers_apply(client: Api, pooled_app: Any, job: str):
    for location in ("Graz", "Linz", "Wels", "Enns"):
        client.patch(job, {"location": location})
        client.post(f"{job}/notes", {"body": location})
    assert len(client.get(f"{job}/activity").json) == 3
    # They end with the transaction.
    with autocommit(pooled_app.registry) as connection:
        local = "SELECT current_setting('jobtracker.activity_per_job', true)"
        assert connection.execute(local).fetchone() in [("",), (None,)]


def test_worker_runs_tasks(client: Api, pooled_app: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(TASK_KINDS, "example", TaskKind(lambda task: task.args, None))
    user_id = client.get("/users/me").json["id"]
    with working(pooled_app.registry):
        for x in range(2):
            with transaction(pooled_app.registry["db_sessions"]) as connection:
                path = f"/tasks/{enqueue(connection, user_id, 'example', {'x': x})}"

            def result(path: str = path) -> Any:
                return client.get(path).json["result"]

            assert wait_until(result, SECONDS_TO_LOCK)
            assert result() == {"x": x}


def test_an_account_is_exported_imported_and_deleted_by_tasks(
    client: Api,
    pooled_app: Any,
    database: psycopg.Connection,
    user_pool: MotoUserPool,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(notifications, "POLL_INTERVAL", 0.1)  # instead of two seconds
    email = f"{uuid.uuid4().hex}@example.com"
    mine = client.signed_in(user_pool.user(email, "Eve").access_token)
    job = f"/jobs/{mine.post('/jobs', JOB).json['id']}"
    note = f"{job}/notes/{mine.post(f'{job}/notes', {'body': 'x'}).json['id']}"
    mine.delete(note)

    def wait_for(path: str, state: str) -> None:
        assert wait_until(lambda: mine.get(path).json["state"] == state, SECONDS_TO_LOCK)

    def wait_for_no(table: str) -> None:
        rows = f"SELECT FROM {table}"
        assert wait_until(lambda: not database.execute(rows).fetchall(), SECONDS_TO_LOCK)

    with working(pooled_app.registry):
        export = exports.begin(mine, documents=False)
        wait_for(export, "done")
        archive = exports.download(mine, export)
        mine.post(in_trash("note", note) + "/restore", status=200)
        mine.delete(job)
        mine.delete("/trash", status=202)
        wait_for_no("notes")
        imported = imports.upload(mine, archive)
        mine.post(f"{imported}/run", {"on_duplicate": "skip"}, status=202)
        wait_for(imported, "done")
        assert [row["kind"] for row in mine.get("/trash").json] == ["note"]
        (made,) = mine.get("/jobs").json
        # Triggers have recorded nothing of the import.
        events = mine.get(f"/jobs/{made['id']}/activity").json
        assert [event["type"] for event in events] == ["note_deleted", "note_added", "job_created"]
        mine.post("/imports/csv", {"text": "Company,Title\nInitech,x\n"}, status=201)
        assert len(mine.get("/jobs").json) == 2
        mine.delete(imported, status=202)
        wait_for(imported, "undone")
        mine.call("DELETE", "/users/me", {"password": PASSWORD}, status=202)
        wait_for_no("users")


def test_a_read_is_repeated_when_its_session_ends(
    client: Api, job: str, database: psycopg.Connection, postgres: Postgres
):
    terminate = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = 'pooled' AND wait_event_type = 'Lock' AND query LIKE '%FROM jobs%'
    """
    with ThreadPoolExecutor(1) as thread:
        with psycopg.connect(postgres.url("pooled")) as locking:
            locking.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            answer = thread.submit(client.get, job)
            assert wait_until(lambda: database.execute(terminate).fetchall(), SECONDS_TO_LOCK)
        assert answer.result().json["company_name"] == JOB["company_name"]


def test_a_session_that_ended_while_idle_is_replaced(
    client: Api, job: str, database: psycopg.Connection
):
    database.execute("""
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = 'pooled' AND pid <> pg_backend_pid()
    """)
    assert client.get(job).json["location"] is None
    client.patch(job, {"location": "Graz"})
    assert client.get(job).json["location"] == "Graz"


def test_a_pooler_without_postgresql_answers_503(
    client: Api, pgbouncer: PgBouncer, settings: dict[str, str]
):
    own = {"sqlalchemy.url": pgbouncer.url("missing", ROLE), "sqlalchemy.session_settings": "role"}
    app = jobtracker.main({}, **{**settings, **own})
    Api(TestApp(app), client.token).refused(503, "GET", "/jobs")
    dispose_engines(app)
