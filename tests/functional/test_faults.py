"""Faults of PostgreSQL, Cognito, S3 and Turnstile: 503 in bounded time, and nothing half done."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text
from webtest import TestApp

import jobtracker
from jobtracker.documents.storage import Bucket
from jobtracker.local.aws import Aws
from jobtracker.local.postgres import SOCKET, Postgres
from tests.common.api import Api
from tests.common.proxy import Proxy
from tests.common.running_clock import running_time
from tests.common.timeouts import with_default_timeouts
from tests.common.user_pool import MotoUserPool

UNREACHABLE = "http://127.0.0.1:1"


@pytest.fixture
def client_with_settings(settings: dict[str, str], user_pool: MotoUserPool) -> Iterator[Any]:
    """Creates a client of an application with some settings changed, and the default time-outs."""
    engines: list[Any] = []
    usual = with_default_timeouts(settings)

    def with_settings(**wrong: str) -> Api:
        changed = {name.replace("__", "."): value for name, value in wrong.items()}
        app = jobtracker.main({}, **{**usual, **changed})
        engines.extend((app.registry["db_engine"], app.registry["db_autocommit_engine"]))
        return Api(TestApp(app), user_pool.user("ada@example.com", "Ada").access_token)

    yield with_settings
    for engine in engines:
        engine.dispose()


def test_missing_database_server_answers_503(
    client_with_settings: Any, caplog: pytest.LogCaptureFixture
):
    client = client_with_settings(sqlalchemy__url="postgresql://postgres@/x?host=/nowhere")
    client.refused(503, "GET", "/users/me")
    client.refused(503, "POST", "/jobs", {"company_name": "Acme", "job_title": "x"})
    client.get("/health")
    assert "/nowhere" in caplog.text  # operators need the address


def test_missing_database_answers_503(client_with_settings: Any, settings: dict[str, str]):
    url = settings["sqlalchemy.url"].replace("/tests?", "/missing?")
    client_with_settings(sqlalchemy__url=url).refused(503, "GET", "/jobs")


def test_unreachable_cognito_answers_503(client_with_settings: Any):
    client = client_with_settings(cognito__endpoint_url=UNREACHABLE)
    client.refused(503, "GET", "/users/me")  # its keys cannot be had
    login = {"email": "ada@example.com", "password": "x"}
    client.refused(503, "POST", "/auth/cognito/login", login)
    client.post("/auth/cognito/logout", {"refresh_token": "x"}, status=200)


def test_unreachable_s3_answers_503_and_changes_nothing(
    ada: Api, app: Any, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    job = f"/jobs/{ada.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"
    announcement = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    upload = ada.post(f"{job}/documents/presign-upload", announcement).json
    nowhere = Bucket(
        "documents",
        region="us-east-1",
        endpoint_url=UNREACHABLE,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        upload_seconds=900,
        download_seconds=300,
    )
    monkeypatch.setitem(app.registry, "bucket", nowhere)
    confirmation = {"document_id": upload["document"]["id"]}
    ada.refused(503, "POST", f"{job}/documents/confirm-upload", confirmation)
    (document,) = ada.get(f"{job}/documents").json
    assert document["status"] == "pending"
    ada.delete(f"{job}/documents/{document['id']}?permanent=true")  # its object waits


def test_unexpected_error_answers_500_without_details(
    ada: Api, app: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_args: Any, **_filters: Any) -> None:
        b"\xff".decode()

    monkeypatch.setattr("jobtracker.jobs.queries.page", fail)
    error = ada.refused(500, "GET", "/jobs")
    assert error.keys() == {"error", "message"}
    assert "UnicodeDecodeError" in caplog.text
    assert "in fail" in caplog.text


def test_row_in_a_database_error_is_not_logged(
    ada: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def insert(connection: Any, *_args: Any, **_filters: Any) -> None:
        insert = "INSERT INTO users (cognito_sub, email) VALUES (%(sub)s, NULL)"
        connection.execute(insert, {"sub": "p" + "rivate"})

    monkeypatch.setattr("jobtracker.jobs.queries.page", insert)
    ada.refused(500, "GET", "/jobs")
    assert "NotNullViolation 23502" in caplog.text
    assert "private" not in caplog.text


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Proxy]:
    """A proxy in front of PostgreSQL."""
    with Proxy(postgres.socket_folder / SOCKET) as proxy:
        yield proxy


@pytest.fixture
def remote(client_with_settings: Any, committing_app: Any, client: Api, database: Proxy) -> Api:
    """A client of an application that reaches PostgreSQL by TCP, with open connections."""
    name = make_url(committing_app.registry.settings["sqlalchemy.url"]).database
    url = f"postgresql://postgres@127.0.0.1:{database.port}/{name}"
    remote = client_with_settings(sqlalchemy__url=url, sqlalchemy__pool_size="5")
    with ThreadPoolExecutor(5) as threads:
        for _ in threads.map(lambda _: remote.get("/users/me"), range(20)):
            pass
    return remote


JOB = {"company_name": "Acme", "job_title": "x"}
# Below the usual time-out of a load balancer.
SECONDS_AT_MOST = 5


def test_stalled_database_answers_503_in_bounded_time(remote: Api, database: Proxy):
    database.stall()
    for method, path, body in (("GET", "/jobs", None), ("POST", "/jobs", JOB)):
        began = running_time()
        remote.refused(503, method, path, body)
        assert running_time() - began < SECONDS_AT_MOST
    remote.get("/health")
    database.forward()
    assert remote.get("/jobs").json == []
    remote.post("/jobs", JOB, status=201)


def test_closed_connections_are_replaced_without_an_error(remote: Api, database: Proxy):
    for method, body in (("GET", None), ("POST", JOB), ("GET", None)):
        database.cut()  # a restart of PostgreSQL, of a firewall
        database.forward()
        remote.call(method, "/jobs", body, status="2*")
    assert len(remote.get("/jobs").json) == 1


def test_connection_closed_in_the_middle_of_a_response_answers_503(remote: Api, database: Proxy):
    database.cut(after=10)
    remote.refused(503, "GET", "/jobs")
    remote.refused(503, "POST", "/jobs", JOB)
    database.forward()
    assert remote.get("/jobs").json == []


def test_read_only_database_answers_503_to_writes(remote: Api, postgres: Postgres):
    def read_only(value: str) -> None:
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
            connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)

    read_only("on")
    try:
        remote.refused(503, "POST", "/jobs", JOB)
        assert remote.get("/jobs").json == []
    finally:
        read_only("off")
    remote.post("/jobs", JOB, status=201)


def test_row_lock_held_by_another_answers_503_in_bounded_time(remote: Api, committing_app: Any):
    job = f"/jobs/{remote.post('/jobs', JOB).json['id']}"
    began = running_time()
    with committing_app.registry["db_engine"].begin() as connection:
        connection.execute(text("SELECT FROM jobs FOR UPDATE"))
        remote.refused(503, "PATCH", job, {"location": "Graz"})
    assert running_time() - began < SECONDS_AT_MOST
    assert remote.patch(job, {"location": "Graz"}).json["location"] == "Graz"


def test_sign_in_without_a_database_does_not_call_cognito(
    client_with_settings: Any, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    nowhere = client_with_settings(sqlalchemy__url="postgresql://postgres@/x?host=/nowhere")
    cognito = nowhere.app.app.registry["cognito"]
    monkeypatch.setattr(cognito, "_call", lambda *_args, **_kw: pytest.fail("Cognito was called"))
    challenge = {
        "email": "ada@example.com",
        "challenge_name": "SOFTWARE_TOKEN_MFA",
        "session": "s" * 20,
        "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"},
    }
    nowhere.refused(503, "POST", "/auth/cognito/challenge", challenge)


@pytest.mark.parametrize(
    ("setting", "path", "body"),
    [
        ("cognito__endpoint_url", "/auth/cognito/login", {"email": "a@b.c", "password": "x"}),
        (
            *("turnstile__url", "/auth/cognito/signup"),
            {
                "email": "new@example.com",
                "password": "Lovelace-1815",
                "name": "x",
                "turnstile_token": "x",
            },
        ),
    ],
)
def test_stalled_gateway_answers_503_in_bounded_time(
    client_with_settings: Any, aws: Aws, setting: str, path: str, body: Any
):
    with Proxy(("127.0.0.1", aws.port)) as proxy:
        proxy.stall()
        client = client_with_settings(**{setting: proxy.url})
        began = running_time()
        client.refused(503, "POST", path, body)
        assert running_time() - began < SECONDS_AT_MOST
