"""Request ids in responses and logs, and secrets kept out of the log."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import limits
import pytest

from jobtracker import logs
from jobtracker.logs import JsonFormatter, TextFormatter
from tests.common.api import Api
from tests.common.timeouts import http_request
from tests.common.user_pool import PASSWORD, MotoUserPool

JOB = {"company_name": "Acme", "job_title": "Engineer"}


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The output of the root logger at DEBUG, as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def entries(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize("given", ["abc-123", "Root=1-67891233-abcdef012345678912345678"])
def test_request_id_of_the_client_is_used(ada: Api, written: io.StringIO, given: str):
    answer = ada.call("GET", "/jobs/1", status=404, headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given
    (line,) = (entry for entry in entries(written) if entry["logger"] == "jobtracker.access")
    assert line["request_id"] == given
    assert (line["method"], line["path"], line["status"]) == ("GET", "/jobs/1", 404)
    assert line["milliseconds"] > 0


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "a\tb", "ä"])
def test_malformed_request_id_is_replaced(ada: Api, given: str):
    answers = [ada.call("GET", "/jobs", headers={"X-Request-ID": given}) for _ in range(2)]
    first, second = (answer.headers["X-Request-ID"] for answer in answers)
    assert first != second
    assert given not in (first, second)


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/openapi.json"])
def test_every_response_has_a_request_id(anonymous: Api, path: str):
    assert len(anonymous.call("GET", path, status="*").headers["X-Request-ID"]) == 32


def test_every_log_line_of_a_request_has_its_id(
    ada: Api, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_args: Any, **_filters: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("jobtracker.jobs.queries.page", fail)
    ada.refused(500, "GET", "/jobs", headers={"X-Request-ID": "abc"})
    lines = [entry for entry in entries(written) if entry["logger"].startswith("jobtracker")]
    assert {entry["request_id"] for entry in lines} == {"abc"}
    assert "RuntimeError: broken" in lines[0]["message"]


def test_newline_in_a_path_adds_no_log_line(ada: Api, written: io.StringIO):
    ada.call("GET", "/jobs/1%0a2026-11-23%20INFO%20forged", status=404)
    (line,) = (entry for entry in entries(written) if entry["logger"] == "jobtracker.access")
    assert line["path"] == "/jobs/1%0A2026-11-23%20INFO%20forged"


def test_access_log_has_the_user_and_the_route(ada: Api, written: io.StringIO):
    job = ada.post("/jobs", JOB).json["id"]
    answer = ada.get(f"/jobs/{job}", headers={"X-Forwarded-For": "203.0.113.9"})
    line = [entry for entry in entries(written) if entry["logger"] == "jobtracker.access"][-1]
    assert line["user_id"] > 0
    assert line["route"] == "/jobs/{job_id}"
    assert line["bytes"] == len(answer.body)
    ada.call("HEAD", f"/jobs/{job}")
    ada.get("/users/me", headers={"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"})
    head, me = [each for each in entries(written) if each["logger"] == "jobtracker.access"][-2:]
    assert head["bytes"] == 0
    assert me["trace_id"] is None


def test_access_log_says_which_limit_is_exceeded(
    ada: Api, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
):
    rates = limits.parse_many("1/minute")
    monkeypatch.setitem(ada.app.app.registry.settings, "rate_limits.notes_by_user", rates)
    notes = f"/jobs/{ada.post('/jobs', JOB).json['id']}/notes"
    ada.post(notes, {"body": "x"})
    ada.refused(429, "POST", notes, {"body": "x"})
    *_, reason, line = entries(written)
    assert reason["message"] == "Rate limit notes_by_user: exceeded"
    assert (line["status"], line["limit"]) == (429, "notes_by_user")


def test_query_is_not_logged(ada: Api, written: io.StringIO):
    ada.get("/jobs?q=private")
    assert "private" not in written.getvalue()


def test_secrets_are_not_logged(anonymous: Api, user_pool: MotoUserPool, written: io.StringIO):
    email = "discreet@example.com"
    eve = anonymous.signed_in(user_pool.user(email, "Eve").access_token)
    tokens = anonymous.post("/auth/cognito/login", {"email": email, "password": PASSWORD}).json[
        "tokens"
    ]
    anonymous.post("/auth/cognito/refresh", {"refresh_token": tokens["refresh_token"]})
    wrong = {"email": email, "password": "Wrong-password-1"}
    anonymous.refused(401, "POST", "/auth/cognito/login", wrong)
    code = {"email": email, "code": "918273"}
    anonymous.call("POST", "/auth/cognito/confirm", code, status="*")
    anonymous.call("POST", "/auth/cognito/logout", {"refresh_token": tokens["refresh_token"]})
    job = f"/jobs/{eve.post('/jobs', JOB, headers={'Idempotency-Key': 'once'}).json['id']}"
    eve.post(f"{job}/notes", {"body": "n" + "otes are private"})
    resume = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    upload = eve.post(f"{job}/documents/presign-upload", resume, headers={"Idempotency-Key": "1"})
    upload = eve.post(f"{job}/documents/presign-upload", resume, headers={"Idempotency-Key": "1"})
    document_id = upload.json["document"]["id"]
    http_request("PUT", upload.json["upload_url"], body=b"x")
    eve.post(f"{job}/documents/confirm-upload", {"document_id": document_id})
    download = eve.get(f"{job}/documents/{document_id}/presign-download").json
    passwords = {"current_password": PASSWORD, "new_password": "Another-1842-one"}
    eve.post("/users/me/change-password", passwords)

    # moto runs in this process and logs its requests.
    ours = [entry for entry in entries(written) if entry["logger"] != "werkzeug"]
    text = json.dumps(ours)
    assert "jobtracker.access" in text
    assert "botocore" in {entry["logger"].partition(".")[0] for entry in ours} or ours
    for secret in (
        *(PASSWORD, "Wrong-password-1", "Another-1842-one", "918273"),
        *(tokens["access_token"], tokens["id_token"], tokens["refresh_token"], eve.token),
        *("Signature", "Credential", "notes are private"),
        *(upload.json["upload_url"].partition("?")[2], download["download_url"].partition("?")[2]),
    ):
        assert secret is not None
        assert secret not in text


def test_debug_level_in_an_ini_file_does_not_log_secrets():
    engine = logging.getLogger("sqlalchemy.engine")
    level = engine.level
    try:
        engine.setLevel(logging.DEBUG)  # [logger_sqlalchemy] of many an ini file
        logs.includeme(object())
        assert engine.level == logging.INFO
    finally:
        engine.setLevel(level)
    for name in logs.NOISY_LOGGERS:
        assert not logging.getLogger(f"{name}.anything").isEnabledFor(logging.DEBUG)


def record(**extra: Any) -> logging.LogRecord:
    values = {
        "name": "x",
        "levelname": "INFO",
        "msg": "%s\nlines",
        "args": ("two",),
        "created": 0.5,
    }
    return logging.makeLogRecord({**values, **extra})


def test_json_formatter_writes_one_line_of_json():
    token = logs.request_id.set("abc")
    line = JsonFormatter().format(record(status=200, strange=object))
    logs.request_id.reset(token)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "INFO",
        "logger": "x",
        "request_id": "abc",
        "message": "two\nlines",
        "status": 200,
        "strange": "<class 'object'>",
    }


def test_json_formatter_writes_the_exception():
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        with_traceback = record(exc_info=(type(error), error, error.__traceback__))
    assert "RuntimeError: broken" in json.loads(JsonFormatter().format(with_traceback))["exception"]


def test_text_formatter_writes_the_request_id():
    formatter = TextFormatter("%(asctime)s %(request_id)s %(message)s", "%H:%M:%S")
    token = logs.request_id.set("abc")
    assert formatter.format(record()) == "00:00:00 abc two\n    lines"
    logs.request_id.reset(token)
