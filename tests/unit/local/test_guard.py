"""The guard: which values of Host and Origin are refused, and how JobTracker answers them."""

import json
from typing import Any

import pytest
from webtest import TestApp

from jobtracker.local.guard import LOOPBACK_HOSTS, Guard, GuardedApplication

SPA = "http://localhost:3000"
GUARD = Guard(LOOPBACK_HOSTS | {"api.test"}, frozenset({SPA}))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost", None),
        ("127.0.0.1:6543", None),
        ("[::1]:6543", None),
        ("LocalHost:6543", "HTTP://LOCALHOST:3000"),
        ("api.test:80", SPA),
    ],
)
def test_listed_host_and_origin_are_accepted(host: str, origin: str | None):
    assert GUARD.reason_to_refuse(host, origin) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:6543",
        "localhost.evil.example",
        "127.0.0.1.evil.example:6543",
        "localhost.",
        "localhost:6543, evil.example",
        "localhost:6543\n",
        "evil.example#localhost",
        "user@localhost",
        "0.0.0.0",  # noqa: S104
    ],
)
def test_host_that_is_not_listed_is_refused(host: str):
    assert "local.hosts" in (GUARD.reason_to_refuse(host, None) or "")


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "https://localhost:3000",
        "http://localhost",
        "http://localhost:3001",
        "http://localhost:3000.evil.example",
        "http://localhost:3000/",
        f"{SPA}, http://evil.example",
    ],
)
def test_origin_that_is_not_listed_is_refused(origin: str):
    assert "cors.origins" in (GUARD.reason_to_refuse("localhost", origin) or "")


@pytest.fixture
def client() -> TestApp:
    """JobTracker's place is taken by an application that always answers 200."""

    class Application:
        class registry:  # noqa: N801 (Pyramid's name)
            settings = {"cors.origins": (SPA,), "http.hsts_max_age": None}

        def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"called"]

    return TestApp(GuardedApplication(Application(), ["localhost"]))


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
def test_application_is_not_called_for_foreign_host_or_origin(
    client: TestApp, method: str, headers: dict[str, str]
):
    headers = {"Host": "localhost:6543", "X-Request-ID": "a" * 32, **headers}
    response = client.request("/jobs", method=method, headers=headers, status=403)
    assert json.loads(response.body)["error"] == "FORBIDDEN"
    assert response.headers["X-Request-ID"] == "a" * 32
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("headers", [{}, {"Origin": SPA}, {"Origin": "http://localhost:6543"}])
def test_application_is_called_for_the_listed_origins_and_its_own(
    client: TestApp, headers: dict[str, str]
):
    response = client.post("/jobs", headers={"Host": "localhost:6543", **headers})
    assert response.body == b"called"


def test_own_origin_is_that_of_the_same_host_and_port(client: TestApp):
    headers = {"Host": "localhost:6543", "Origin": "http://localhost:6544"}
    client.post("/jobs", headers=headers, status=403)
