"""The same security headers on every response of the application."""

import pytest

from tests.common.api import ORIGIN, Api
from tests.common.server_headers import SECURITY_HEADERS

JOB = {"company_name": "Acme", "job_title": "x"}


def assert_secure(headers: object) -> None:
    given = dict(headers)  # type: ignore[call-overload]
    assert {name: given.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/jobs", 200),
        ("HEAD", "/jobs", 200),
        ("GET", "/jobs/1000001", 404),
        ("GET", "/nowhere", 404),
        ("PUT", "/jobs", 405),
        ("POST", "/jobs", 415),
        ("GET", "/%FF", 400),
    ],
)
def test_every_response_has_security_headers(ada: Api, method: str, path: str, status: int):
    assert_secure(ada.call(method, path, status=status).headers)


def test_unauthorized_response_has_security_headers(anonymous: Api):
    assert_secure(anonymous.get("/jobs", status=401).headers)


def test_cached_response_and_304_have_security_headers(ada: Api):
    first = ada.get("/jobs")
    assert_secure(ada.get("/jobs").headers)
    known = {"If-None-Match": first.headers["ETag"]}
    unchanged = ada.get("/jobs", headers=known, status=304)
    assert_secure(unchanged.headers)
    names = [name for name, _value in unchanged.headerlist]
    assert all(names.count(name) == 1 for name in SECURITY_HEADERS)


def test_stored_response_has_security_headers(ada: Api):
    headers = {"Idempotency-Key": "a"}
    ada.post("/jobs", JOB, headers=headers)
    assert_secure(ada.post("/jobs", JOB, headers=headers).headers)


def test_preflight_has_security_headers(anonymous: Api):
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    response = anonymous.app.request("/jobs", method="OPTIONS", headers=headers)
    assert_secure(response.headers)


def test_docs_have_one_policy_of_their_own(anonymous: Api):
    page = anonymous.get("/docs")
    assert len(page.headers.getall("Content-Security-Policy")) == 1
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
