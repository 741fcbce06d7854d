"""A front end of another origin, in a browser, with an API of its own database.

The suite uses moto and WebTest's server; ``-m torture`` the local stack, by waitress and Granian.
"""

import functools
import json
import tempfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from webtest.http import StopableWSGIServer

import jobtracker
from jobtracker.local.server import working
from tests.common.app import dispose_engines, migrate
from tests.common.browser import chromium
from tests.common.server import Server
from tests.common.spa import Spa
from tests.torture.instance import Instance

LOCAL_STACK = ("local-waitress", "local-granian")


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Write no access log."""


@pytest.fixture(scope="session")
def spa_origin() -> Iterator[str]:
    """The origin of the front end."""
    handler = functools.partial(_Files, directory=str(Path(__file__).parent / "spa"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the browser, with its downloads."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="session")
def browser(folder: Path) -> Iterator[Chrome]:
    with chromium(folder) as browser:
        yield browser


@pytest.fixture(
    scope="session",
    params=["moto", *(pytest.param(name, marks=pytest.mark.torture) for name in LOCAL_STACK)],
)
def stack(request: pytest.FixtureRequest, browser: Chrome) -> str:
    """What the API is served by."""
    return str(request.param)


@pytest.fixture(scope="session")
def api_url(request: pytest.FixtureRequest, stack: str) -> str:
    fixture = stack.replace("-", "_")
    return str(request.getfixturevalue(fixture))


@pytest.fixture(scope="session")
def moto(make_database: Any, settings: dict[str, str], spa_origin: str) -> Iterator[str]:
    own = {"sqlalchemy.url": make_database("browser"), "cors.origins": spa_origin}
    app = jobtracker.main({}, **{**settings, **own})
    migrate(app.registry["db_engine"])
    server = StopableWSGIServer.create(app, host="127.0.0.1")
    with working(app.registry):
        yield server.application_url.rstrip("/")
    server.shutdown()
    dispose_engines(app)


@pytest.fixture(scope="session")
def local_server(spa_origin: str) -> Iterator[Server]:
    """That of ``make serve``."""
    # Not below pytest's folder, which PostgreSQL's own user cannot enter.
    with tempfile.TemporaryDirectory(prefix="jobtracker-browser-") as folder:
        server = Server(Path(folder), {"cors.origins": spa_origin})
        try:
            server.start()
            yield server
        finally:
            server.stop()
            server.wait_until_all_are_gone()
        assert "ERROR" not in server.output()


@pytest.fixture(scope="session")
def local_waitress(local_server: Server) -> str:
    return f"http://127.0.0.1:{local_server.port}"


@pytest.fixture(scope="session")
def local_granian(local_server: Server, spa_origin: str) -> Iterator[str]:
    """Granian with production.ini, on the local stack; the worker is that of the other server."""
    folder = local_server.folder
    settings = json.loads((folder / "var" / "stack.state").read_text())
    instance = Instance(folder, {**settings, "cors.origins": spa_origin}, "production.ini")
    try:
        instance.start()
        yield f"http://127.0.0.1:{instance.port}"
    finally:
        instance.stop()
    assert "ERROR" not in instance.output()


@pytest.fixture
def spa(browser: Chrome, spa_origin: str, api_url: str, folder: Path, stack: str) -> Iterator[Spa]:
    """A tab of the front end, signed out; its console has no error of scripts or CORS."""
    spa = Spa(browser, spa_origin, api_url, folder, is_local_stack=stack in LOCAL_STACK)
    yield spa
    faults = [each for each in spa.errors() if "Failed to load resource" not in each]
    spa.close()
    assert faults == []
