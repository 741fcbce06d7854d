"""Reads on a streaming replica: never out of date, and on the primary where the replica fails."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from webtest import TestApp

import jobtracker
from jobtracker.db import replicas
from jobtracker.local.postgres import SOCKET, Postgres
from jobtracker.local.process import wait_until
from jobtracker.users import queries
from tests.common.api import Api
from tests.common.app import dispose_engines, forget_tokens, new_rate_limiter
from tests.common.conditional import RESUME, UserData, send_uncached
from tests.common.proxy import HOST, Proxy
from tests.common.running_clock import running_time
from tests.common.standby import Standby

JOB = {"company_name": "Acme", "job_title": "x"}
SECONDS_AT_MOST = 5  # as without a replica
GIVEN_UP, USED_AGAIN = "is not used for now", "is used again"


@pytest.fixture(scope="module")
def standby(postgres: Postgres, committing_app: Any) -> Iterator[Standby]:
    """A replica of the server of all tests."""
    folder = Path(tempfile.mkdtemp(prefix="jobtracker-tests-"))
    with Proxy(postgres.socket_folder / SOCKET) as primary:
        server = Standby(folder / "data", folder / "log", primary=postgres, port=primary.port)
        try:
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder)


@pytest.fixture(scope="module")
def network(standby: Standby) -> Iterator[Proxy]:
    """The network between the application and the replica."""
    with Proxy(standby.socket_folder / SOCKET) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def reading_app(settings: dict[str, str], committing_app: Any, network: Proxy) -> Iterator[Any]:
    """An application that commits, with the setting ``sqlalchemy.reading_url``."""
    url = make_url(committing_app.registry.settings["sqlalchemy.url"])
    primary = url.set(drivername="postgresql").render_as_string(hide_password=False)
    replica = f"postgresql://postgres@{HOST}:{network.port}/{url.database}"
    app = jobtracker.main(
        {}, **{**settings, "sqlalchemy.url": primary, "sqlalchemy.reading_url": replica}
    )
    yield app
    dispose_engines(app)
    app.registry["db_replica"].engine.dispose()


@pytest.fixture
def reader(
    client: Api,
    reading_app: Any,
    network: Proxy,
    standby: Standby,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Api]:
    """Ada's client of that application, whose replica is in use."""
    monkeypatch.setitem(reading_app.registry, "rate_limiter", new_rate_limiter())
    monkeypatch.setattr(replicas, "RETRY_SECONDS", 0)
    forget_tokens(reading_app)
    reader = Api(TestApp(reading_app), client.token)
    reader.post("/jobs", JOB)
    standby.wait_for_replay(postgres)
    reader.get("/jobs?warm=up")
    assert reading_app.registry["db_replica"].is_in_use
    yield reader
    network.forward()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the replica answered, for each statement: ``read``, ``stale`` or the error."""
    seen: list[str] = []
    execute = replicas.StandbyConnection.execute_checked

    def recorded(self: Any, *args: Any, **options: Any) -> Any:
        try:
            cursor = execute(self, *args, **options)
        except Exception as error:
            seen.append(type(error).__name__)
            raise
        seen.append("stale" if cursor is None else "read")
        return cursor

    monkeypatch.setattr(replicas.StandbyConnection, "execute_checked", recorded)
    return seen


@pytest.fixture
def primary_statements(reading_app: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of autocommit connections to the primary."""
    seen: list[str] = []
    connect = reading_app.registry["db_autocommit"]

    def counted() -> Any:
        connection = connect()
        execute = connection.execute

        def record(query: str, *args: Any, **options: Any) -> Any:
            seen.append(query)
            return execute(query, *args, **options)

        connection.execute = record
        return connection

    monkeypatch.setitem(reading_app.registry, "db_autocommit", counted)
    return seen


@contextlib.contextmanager
def replay_paused(standby: Standby) -> Iterator[None]:
    standby.execute("SELECT pg_wal_replay_pause()")
    paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
    assert wait_until(lambda: standby.execute(paused), 10)
    try:
        yield
    finally:
        standby.execute("SELECT pg_wal_replay_resume()")


def test_all_columns_of_the_version_are_compared():
    versions = [name for name in queries.UserRow._fields if name.startswith("revision")]
    assert list(queries.VERSION) == versions


def test_reads_use_the_replica_for_all_but_the_user(
    reader: Api,
    postgres: Postgres,
    standby: Standby,
    reads: list[str],
    primary_statements: list[str],
):
    data = UserData(reader, "acme")
    standby.wait_for_replay(postgres)
    for path in data.paths():
        primary_statements.clear()
        reads.clear()
        send_uncached(reader, path, 1)
        # Of those below the user, the retention alone reads jobs.
        uses_replica = not path.startswith("/users/me") or path == "/users/me/retention"
        # Nor what changes without the revision, or counts a rate before.
        of_primary = ("/exports", "/imports", "/tasks", "/reports")
        uses_replica &= not path.startswith(of_primary)
        assert set(reads) == ({"read"} if uses_replica else set()), path
        # Those count what no revision covers, nor does one cover the audit.
        counts = path.endswith(("/usage", "/deletion", "/audit"))
        expected = 2 if counts or path.startswith(of_primary) else 1
        expected += path.startswith("/reports")  # the ids, and a page of rows
        assert len(primary_statements) == expected, path


def test_writes_304_and_presigned_urls_do_not_use_the_replica(
    reader: Api, reads: list[str], primary_statements: list[str]
):
    job = f"/jobs/{reader.post('/jobs', JOB).json['id']}"
    document = reader.post(f"{job}/documents/presign-upload", RESUME).json["document"]
    etag = reader.get("/jobs").headers["ETag"]
    primary_statements.clear()
    reads.clear()
    reader.get("/jobs", headers={"If-None-Match": etag}, status=304)
    reader.refused(409, "GET", f"{job}/documents/{document['id']}/presign-download")
    reader.patch(job, {"location": "Graz"})
    assert reads == []
    assert len(primary_statements) == 5


def test_own_writes_are_read_at_once(reader: Api, reads: list[str]):
    for number in range(2, 22):
        reader.post("/jobs", JOB)
        assert len(reader.get("/jobs").json) == number
    assert len(reads) == 20
    assert set(reads) <= {"read", "stale"}


def test_paused_replica_answers_nothing_that_has_changed(
    reader: Api, client: Api, standby: Standby, postgres: Postgres, reads: list[str]
):
    with replay_paused(standby):
        assert len(reader.get("/jobs?unchanged=1").json) == 1
        for number in (2, 3):
            client.post("/jobs", JOB)
            assert len(reader.get("/jobs").json) == number
    assert reads == ["read", "stale", "stale"]
    standby.wait_for_replay(postgres)
    assert len(reader.get("/jobs?again=1").json) == 3
    assert reads[3:] == ["read"]


def test_query_that_conflicts_with_the_recovery_is_executed_by_the_primary(
    reader: Api, reading_app: Any, reads: list[str], monkeypatch: pytest.MonkeyPatch
):
    def conflict(*_args: Any, **_options: Any) -> None:
        raise psycopg.errors.SerializationFailure("conflict with recovery")

    monkeypatch.setattr(replicas.StandbyConnection, "execute_checked", conflict)
    assert len(reader.get("/jobs").json) == 1
    assert reading_app.registry["db_replica"].is_in_use


@pytest.mark.parametrize("fault", ["refuse", "stall", "stall from the first byte", "cut"])
def test_fault_of_the_replica_causes_no_error(
    reader: Api,
    reading_app: Any,
    network: Proxy,
    reads: list[str],
    fault: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    if fault == "stall from the first byte":
        reading_app.registry["db_replica"].engine.dispose()
    {"refuse": network.refuse, "cut": lambda: network.cut(after=50)}.get(fault, network.stall)()
    monkeypatch.setattr(replicas, "RETRY_SECONDS", 60)
    began = running_time()
    for number in range(4):
        assert len(reader.get(f"/jobs?number={number}").json) == 1
    assert running_time() - began < SECONDS_AT_MOST
    assert len(reads) == 1
    assert reads != ["read"]
    network.forward()
    monkeypatch.setattr(reading_app.registry["db_replica"], "_retry_at", 0)
    reader.get("/jobs?number=5")
    reader.get("/jobs?number=6")
    assert reads[1:] == ["read", "read"]
    assert caplog.text.count(GIVEN_UP) == caplog.text.count(USED_AGAIN) == 1


def test_stopped_and_promoted_replica_is_not_used(
    reader: Api,
    client: Api,
    postgres: Postgres,
    standby: Standby,
    reads: list[str],
    caplog: pytest.LogCaptureFixture,
):
    standby.stop()
    assert len(reader.get("/jobs").json) == 1
    assert GIVEN_UP in caplog.text
    standby.start()
    standby.wait_for_replay(postgres)
    reader.get("/jobs?started=1")
    assert reads[-1] == "read"

    standby.execute("SELECT pg_promote()")
    with psycopg.connect(standby.url("commits"), autocommit=True) as connection:
        connection.execute("UPDATE jobs SET company_name = 'of the replica'")
    client.patch(f"/jobs/{client.get('/jobs').json[0]['id']}", {"company_name": "of the primary"})
    caplog.clear()
    for number in range(3):
        (job,) = reader.get(f"/jobs?promoted={number}").json
        assert job["company_name"] == "of the primary"
    assert reads[-3:] == ["NotAStandby"] * 3
    assert caplog.text.count("it was promoted") == 1
