"""Servers with metrics, on a database of their own."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from sqlalchemy import create_engine

from jobtracker.local import migrations
from tests.common.measured_server import MeasuredServer
from tests.common.user_pool import MotoUserPool


@pytest.fixture(scope="package")
def measured_settings(
    settings: dict[str, str], make_database: Callable[[str], str]
) -> dict[str, str]:
    url = make_database("metrics")
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    migrations.upgrade(engine)
    engine.dispose()
    return {**settings, "sqlalchemy.url": url}


@pytest.fixture(scope="package")
def start(measured_settings: dict[str, str]) -> Iterator[Callable[..., MeasuredServer]]:
    """Starts a server; all are stopped at the end of the package."""
    servers = []

    def start(kind: str, **settings: str) -> MeasuredServer:
        folder = Path(tempfile.mkdtemp(prefix="jobtracker-tests-"))
        server = MeasuredServer(folder, kind, {**measured_settings, **settings})
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.remove()


@pytest.fixture(scope="package")
def granian(start: Callable[..., MeasuredServer]) -> MeasuredServer:
    return start("granian")


@pytest.fixture(scope="package", params=["granian", "waitress"])
def server(request: pytest.FixtureRequest, start: Callable[..., MeasuredServer]) -> MeasuredServer:
    if request.param == "granian":
        return request.getfixturevalue("granian")
    return start("waitress")


@pytest.fixture(scope="package")
def token(user_pool: MotoUserPool) -> str:
    """The access token of an account of its own."""
    return user_pool.user("metrics@example.com", "Grace").access_token


@pytest.fixture(scope="package")
def mixed(granian: MeasuredServer, token: str) -> MeasuredServer:
    """The server after requests that use all that is measured."""
    http = urllib3.PoolManager(retries=False)

    def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
        url, own = f"http://127.0.0.1:{granian.port}{path}", {"Authorization": f"Bearer {token}"}
        return http.request(method, url, json=body, headers={**own, **headers})

    for _ in range(3):
        job = call("POST", "/jobs", {"company_name": "Acme", "job_title": "Engineer"}).json()
        etag = call("GET", "/jobs").headers["ETag"]
        call("GET", "/jobs")
        assert call("GET", "/jobs", **{"If-None-Match": etag}).status == 304
        call("PATCH", f"/jobs/{job['id']}", {"status": "applied"})
        call("DELETE", f"/jobs/{job['id']}")
        email = {"email": "nobody@example.com"}
        call("POST", "/auth/cognito/login", {**email, "password": "Wrong-Password-1"})
        sign_up = {**email, "password": "Wrong-Password-1", "name": "X", "turnstile_token": "no"}
        assert call("POST", "/auth/cognito/signup", sign_up).status == 400
        call("GET", "/nothing")
    return granian
