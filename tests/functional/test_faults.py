"""When a dependency does not do its part: 503, and nothing half done."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from webtest import TestApp

import jobtracker
from jobtracker.documents.storage import Bucket
from tests.api import Api
from tests.pool import Pool

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def broken(settings: dict[str, str], pool: Pool) -> Iterator[Any]:
    """A client of an application with some settings that lead nowhere."""
    engines = []

    def with_settings(**wrong: str) -> Api:
        changed = {name.replace("__", "."): value for name, value in wrong.items()}
        app = jobtracker.main({}, **{**settings, **changed})
        engines.append(app.registry["db_engine"])
        return Api(TestApp(app), pool.user("ada@example.com", "Ada").access_token)

    yield with_settings
    for engine in engines:
        engine.dispose()


def test_no_database(broken: Any, caplog: pytest.LogCaptureFixture):
    client = broken(sqlalchemy__url="postgresql://postgres@/x?host=/nowhere")
    client.refused(503, "GET", "/users/me")
    client.refused(503, "POST", "/jobs", {"company_name": "Acme", "job_title": "x"})
    client.get("/health")
    assert "/nowhere" in caplog.text  # ops are told what cannot be reached


def test_no_database_of_that_name(broken: Any, settings: dict[str, str]):
    url = settings["sqlalchemy.url"].replace("/tests?", "/missing?")
    broken(sqlalchemy__url=url).refused(503, "GET", "/jobs")


def test_no_cognito(broken: Any):
    client = broken(cognito__endpoint_url=NOBODY)
    client.refused(503, "GET", "/users/me")  # its keys cannot be had
    login = {"email": "ada@example.com", "password": "x"}
    client.refused(503, "POST", "/auth/cognito/login", login)
    client.post("/auth/cognito/logout", {"refresh_token": "x"}, status=200)


def test_no_s3(ada: Api, app: Any, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    job = f"/jobs/{ada.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"
    announcement = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    upload = ada.post(f"{job}/documents/presign-upload", announcement).json
    nowhere = Bucket(
        "documents",
        region="us-east-1",
        endpoint_url=NOBODY,
        access_key_id="x",
        secret_access_key="x",
        upload_seconds=900,
        download_seconds=300,
    )
    monkeypatch.setitem(app.registry, "bucket", nowhere)
    confirmation = {"document_id": upload["document"]["id"]}
    ada.refused(503, "POST", f"{job}/documents/confirm-upload", confirmation)
    (document,) = ada.get(f"{job}/documents").json
    assert document["status"] == "pending"
    ada.delete(f"{job}/documents/{document['id']}", status=204)  # its object waits


def test_a_bug_is_a_500_that_tells_nothing(
    ada: Api, app: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_args: Any, **_filters: Any) -> None:
        b"\xff".decode()

    monkeypatch.setattr("jobtracker.jobs.models.Job.of_user", fail)
    error = ada.refused(500, "GET", "/jobs")
    assert error.keys() == {"error", "message"}
    assert "UnicodeDecodeError" in caplog.text
    assert "in fail" in caplog.text


def test_what_postgres_says_of_a_row_is_not_logged(
    ada: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def insert(db: Any, *_args: Any, **_filters: Any) -> None:
        insert = "INSERT INTO users (cognito_sub, email) VALUES (:sub, NULL)"
        db.execute(text(insert), {"sub": "p" + "rivate"})

    monkeypatch.setattr("jobtracker.jobs.models.Job.of_user", insert)
    ada.refused(500, "GET", "/jobs")
    assert "NotNullViolation 23502" in caplog.text
    assert "private" not in caplog.text
