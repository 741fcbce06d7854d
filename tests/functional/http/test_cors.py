"""CORS: headers on every response to a listed origin, and on no other."""

import pytest
from webtest import TestApp

import jobtracker
from tests.common.api import ORIGIN, Api


@pytest.mark.parametrize("path", ["/health", "/jobs", "/jobs/7/notes/", "/nowhere"])
def test_preflight_is_answered_for_every_path(anonymous: Api, path: str):
    answer = anonymous.call(
        "OPTIONS",
        path,
        status=204,
        headers={
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    headers = answer.headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert method in headers["Access-Control-Allow-Methods"]
    for header in ("authorization", "content-type", "if-match", "if-none-match"):
        assert header in headers["Access-Control-Allow-Headers"].lower()
    assert headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("", ("baggage", "sentry-trace", "traceparent", "tracestate")),
        ("X-Trace", ("x-trace",)),
        ("sentry-trace, baggage", ("sentry-trace", "baggage")),
        ("X-A\nX-B", ("x-a", "x-b")),
    ],
)
def test_preflight_allows_the_headers_of_the_setting_and_those_of_the_api(
    settings: dict[str, str], given: str, allowed: tuple[str, ...]
):
    app = jobtracker.main({}, **{**settings, "cors.headers": given})
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    answer = TestApp(app).options("/jobs", headers=preflight)
    names = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    own = ("authorization", "content-type", "idempotency-key", "if-match", "if-none-match")
    assert set(names) == {*own, "x-request-id", *allowed}
    assert len(set(names)) == len(names)


def test_headers_for_the_spa_are_exposed(anonymous: Api):
    exposed = anonymous.get("/health").headers["Access-Control-Expose-Headers"]
    assert set(exposed.split(", ")) == {"ETag", "Link", "Location", "Retry-After", "X-Request-ID"}


@pytest.mark.parametrize("origin", ["http://evil.example", ORIGIN + ".evil.example", "null"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_unlisted_origin_gets_no_cors_headers(anonymous: Api, origin: str, method: str):
    headers = {"Origin": origin}
    if method == "OPTIONS":
        headers["Access-Control-Request-Method"] = "GET"
    answer = anonymous.app.request("/health", method=method, headers=headers)
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]
    assert "Origin" in answer.headers["Vary"]


def test_request_without_an_origin_gets_no_cors_headers(anonymous: Api):
    answer = anonymous.app.get("/health")
    assert answer.json == {"status": "ok"}
    assert answer.headers["Vary"] == "Origin"
