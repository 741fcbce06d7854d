"""A restore of the database under running servers: nothing of the lost data is answered, and no
change is accepted that was made with the knowledge of it.

The promotion of a standby that lags behind is the same: another server continues from an earlier
state, and transaction ids, ids, revisions and versions come again.
"""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from webtest import TestApp

import jobtracker
from jobtracker.commands.after_restore import after_restore
from jobtracker.db.connections import transaction
from jobtracker.documents import reconciliation
from jobtracker.local.postgres import Postgres
from jobtracker.tasks import lease_queries as queries
from jobtracker.tasks.kinds import TASK_KINDS
from tests.common import exports, imports
from tests.common.api import Api
from tests.common.app import dispose_engines
from tests.common.conditional import UserData, send
from tests.common.tasks import make_tasks_due, run_tasks
from tests.common.user_pool import MotoUserPool
from tests.torture.database import migrate
from tests.torture.instance import Instance

ACME = {"company_name": "Acme", "job_title": "x"}
LISTS = (
    "/users/me",
    "/users/me/settings",
    "/jobs",
    "/jobs/board",
    "/jobs/search?q=acme",
    "/jobs?q=acme",
)
# Whose ETags are digests of the body, the same as long as that is.
BY_BODY = ("/jobs/metrics", "/users/me/audit", "/tasks", "/exports", "/imports")
WORKERS = 2


class RestorablePostgres(Postgres):
    """A server with one backup, a copy of its data folder."""

    def back_up(self) -> None:
        self._replace(self.data.with_name("backup"), by=self.data)

    def restore(self) -> None:
        self._replace(self.data, by=self.data.with_name("backup"))

    def _replace(self, folder: Path, *, by: Path) -> None:
        self.stop()
        shutil.rmtree(folder, ignore_errors=True)
        # With its owner, as which PostgreSQL runs.
        subprocess.run(["cp", "-a", by, folder], check=True)  # noqa: S603, S607 (our own folders)
        self.start()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not below pytest's folder, which PostgreSQL's own user cannot enter.
    made = Path(tempfile.mkdtemp(prefix="jobtracker-tests-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[RestorablePostgres]:
    server = RestorablePostgres(folder / "data", folder / "log", {"fsync": "off"})
    server.start()
    migrate(server.url())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def instance(
    folder: Path, database: RestorablePostgres, settings: dict[str, str]
) -> Iterator[Instance]:
    own = {**settings, "sqlalchemy.url": database.url()}
    server = Instance(folder, own, "production.ini", workers=WORKERS)
    server.start()
    yield server
    server.kill()


class User:
    """A client of the server, with a new connection for each request: to any of the workers."""

    def __init__(self, instance: Instance, token: str) -> None:
        self.instance, self.token = instance, token

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with urllib3.HTTPConnectionPool("127.0.0.1", self.instance.port) as http:
            return http.request(
                method,
                path,
                json=body,
                headers={"Authorization": f"Bearer {self.token}", **named},
                retries=False,
            )

    def get(self, path: str, **headers: str) -> list[Any]:
        """The responses to several equal requests, so that each worker makes one."""
        return [self.send("GET", path, **headers) for _ in range(4 * WORKERS)]

    def make_job(self, **fields: str) -> str:
        made = self.send("POST", "/jobs", {**ACME, **fields})
        assert made.status == 201, made.data
        return made.headers["Location"]


def test_restore_under_running_servers_brings_back_nothing_that_was_lost(
    database: RestorablePostgres, instance: Instance, user_pool: MotoUserPool
):
    ada, bob, cleo = (
        User(instance, user_pool.user(f"{name}@example.com", name.title()).access_token)
        for name in ("ada", "bob", "cleo")
    )
    job = ada.make_job()
    assert ada.send("PUT", "/users/me/settings", {"theme": "light"}).status == 200
    database.back_up()

    # What is lost. All workers cache it.
    ada.send("PATCH", job, {"location": "lost"})
    lost_job = ada.make_job(location="lost")
    ada.send("PUT", "/users/me/settings", {"theme": "system"})
    bobs_job = bob.make_job(location="lost")
    lost = {
        (user, path): user.get(path)[0].headers["ETag"]
        for user, paths in ((ada, (*LISTS, job, lost_job)), (bob, (*LISTS, bobs_job)))
        for path in paths
    }
    database.restore()

    # As many writes as were lost, after which all numbers are the same.
    assert [answer.json()["email"] for answer in cleo.get("/users/me")] == ["cleo@example.com"] * 8
    assert {answer.data for answer in cleo.get("/jobs")} == {b"[]"}
    for (user, path), etag in lost.items():
        if user is bob:
            assert {answer.status for answer in cleo.get(path, If_None_Match=etag)} <= {200, 404}
    assert ada.send("PATCH", job, {"location": "kept"}).status == 200
    assert ada.make_job(location="kept") == lost_job  # the id again
    assert ada.send("PUT", "/users/me/settings", {"theme": "dark"}).status == 200
    assert bob.make_job(location="kept") == bobs_job

    for (user, path), etag in lost.items():
        for answer in (*user.get(path, If_None_Match=etag), *user.get(path)):
            assert answer.status == 200, path
            assert b"lost" not in answer.data, path
            assert answer.headers["ETag"] != etag, path
    for user, path, method in (
        *((ada, job, method) for method in ("PATCH", "DELETE")),
        *((ada, lost_job, method) for method in ("PATCH", "DELETE")),
        (ada, "/users/me/settings", "PUT"),
        (bob, bobs_job, "PATCH"),
    ):
        body = {"theme": "light"} if method == "PUT" else {"location": "overwritten"}
        answer = user.send(method, path, body, If_Match=lost[user, path])
        assert answer.status == 412, (method, path)
    assert b"overwritten" not in ada.send("GET", "/jobs").data


@contextlib.contextmanager
def application(settings: dict[str, str], database: RestorablePostgres) -> Iterator[Any]:
    app = jobtracker.main({}, **{**settings, "sqlalchemy.url": database.url()})
    yield app
    dispose_engines(app)


def test_lost_tasks_exports_imports_and_trash_are_not_taken_for_others_of_the_same_ids(
    database: RestorablePostgres,
    instance: Instance,
    settings: dict[str, str],
    user_pool: MotoUserPool,
    s3: Any,
    bucket: str,
):
    exports.clear(s3, bucket)
    user = User(instance, user_pool.user("dora@example.com", "Dora").access_token)
    remaining_job = user.make_job(company_name="First")
    with application(settings, database) as app:
        kept_export = exports.begin(Api(TestApp(app), user.token))  # makes the id of the source
        run_tasks(app)
    (kept_key,) = exports.objects(s3, bucket)
    database.back_up()

    with application(settings, database) as app:
        api = Api(TestApp(app), user.token)
        lost_job = user.make_job(company_name="Lost")
        lost_export = exports.begin(api)
        run_tasks(app)
        archive = exports.download(api, lost_export)
        lost_import = imports.upload(api, archive)
        api.post(f"{lost_import}/check", status=202)
        (lost_key,) = {*exports.objects(s3, bucket)} - {kept_key}
        with transaction(app.registry["db_sessions"]) as connection:
            (task,) = queries.find_due(connection, TASK_KINDS, 1)
            lease = queries.take(connection, task, lease=60)
        assert lease is not None
        assert user.send("DELETE", lost_job).status == 204
    task_path = f"/tasks/{task.id}"
    paths = ("/exports", lost_export, "/imports", lost_import, task_path, "/trash")
    lost = {path: user.get(path)[0].headers["ETag"] for path in paths}
    database.restore()

    with application(settings, database) as app:
        api = Api(TestApp(app), user.token)
        assert [row["id"] for row in api.get("/exports").json] == [int(kept_export[9:])]
        assert user.send("GET", "/imports").data == b"[]"
        assert user.send("GET", f"{lost_export}/presign-download").status == 404
        # All ids again, for others.
        assert user.make_job(company_name="Other") == lost_job
        assert exports.begin(api, documents=False) == lost_export
        run_tasks(app)
        assert imports.upload(api, archive) == lost_import
        api.post(f"{lost_import}/run", {"on_duplicate": "update"}, status=202)
        assert user.send("DELETE", remaining_job).status == 204
        for path, etag in lost.items():
            for answer in user.get(path, If_None_Match=etag):
                assert answer.status == 200, path
                assert answer.headers["ETag"] != etag, path
        # The worker of the lost task does nothing for the one that has its id and its attempts.
        with transaction(app.registry["db_sessions"]) as connection:
            due = queries.find_due(connection, TASK_KINDS, 9)
            assert task in due
            assert queries.take(connection, task, lease=60) is not None
            assert not queries.lock(connection, lease)
        make_tasks_due(app)
        # The object of the lost row is found, and nothing else is.
        differences = reconciliation.differences(
            app.registry["db_sessions"], app.registry["bucket"]
        )
        assert [
            each.object_key for each in differences if each.object_key.startswith("exports/")
        ] == [lost_key]
        run_tasks(app)
        assert api.get(lost_import).json["state"] == "done"
    # The lost job is imported anew: it is not the one that has its id by now.
    assert sorted(job["company_name"] for job in user.send("GET", "/jobs").json()) == [
        "Lost",
        "Other",
    ]


def test_command_invalidates_etags_tokens_and_ids(
    client: Api, user_data: UserData, committing_app: Any, capsys: pytest.CaptureFixture[str]
):
    paths = [path for path in user_data.paths() if not path.startswith(BY_BODY)]
    known = {path: send(client, path).headers["ETag"] for path in paths}
    assert after_restore(committing_app.registry, keep_sessions=True) is None
    assert capsys.readouterr().out == "users: 1, signed out: 0\n"
    for path, etag in known.items():
        assert send(client, path, If_None_Match=etag).status_code == 200, path
    # Nothing has changed but the number of the revision.
    headers = {"If-Match": known[user_data.job]}
    client.patch(user_data.job, {"location": "Linz"}, headers=headers, status=200)
    next_job = client.post("/jobs", ACME).json["id"]
    assert user_data.job_id + 1_000_000_000 < next_job < 2**53
    assert after_restore(committing_app.registry) is None
    assert capsys.readouterr().out == "users: 1, signed out: 1\n"
    assert send(client, "/users/me").status_code == 401


@pytest.fixture
def many_users(client: Api, engine: Any) -> Callable[[], set[int]]:
    """Users of more than one transaction; returns their revisions."""
    insert = """INSERT INTO users (cognito_sub, email)
                SELECT n, n FROM generate_series(1, 2500) AS n"""
    with engine.begin() as connection:
        connection.exec_driver_sql(insert)

    def revisions() -> set[int]:
        with engine.connect() as connection:
            return set(connection.exec_driver_sql("SELECT revision FROM users").scalars())

    return revisions


def test_command_increments_the_revision_of_each_user_once(
    many_users: Callable[[], set[int]], committing_app: Any
):
    assert many_users() == {1}
    assert after_restore(committing_app.registry) is None
    assert many_users() == {2}
