"""What both servers write to stderr with production.ini: one JSON object in each line."""

import gzip
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
import urllib3

from jobtracker.local import CHECKOUT
from tests.common import forks
from tests.common.app import migrate
from tests.common.server import free_port
from tests.common.timeouts import http_request
from tests.common.user_pool import MotoUserPool

_numbers = itertools.count()


class JsonServer:
    """pserve with a copy of production.ini, with an access log."""

    def __init__(self, folder: Path, kind: str, settings: dict[str, str]) -> None:
        self.port, self.stderr = free_port(), folder / f"stderr-{next(_numbers)}"
        self.ini = folder / "production.ini"
        parser = RawConfigParser()
        parser.read(CHECKOUT / "production.ini")
        parser["app:main"] = {
            "use": "egg:jobtracker",
            **{name: value.replace("%", "%%") for name, value in settings.items()},
        }
        parser["server:main"] = {"use": f"egg:jobtracker#{kind}", "port": str(self.port)}
        parser["server:main"]["host"] = "127.0.0.1"
        if kind == "granian":
            parser["server:main"]["workers"] = "2"
        parser["logger_access"]["level"] = "INFO"
        with self.ini.open("w") as file:
            parser.write(file)

    def start(self, **variables: str) -> None:
        with self.stderr.open("wb") as stderr:
            self.process = forks.Fork(
                [forks.PSERVE, self.ini],
                env={**os.environ, **variables},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def wait_until_up(self) -> None:
        self.wait(lambda: self.get("/health") == 200)
        self.wait(self.access)  # lines of the access log wait for some milliseconds

    def wait(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                if condition():
                    return
            except (urllib3.exceptions.HTTPError, OSError):
                pass
            assert self.process.poll() is None, self.stderr.read_text()
            assert time.monotonic() < deadline, self.stderr.read_text()
            time.sleep(0.1)

    def get(self, path: str, **headers: str) -> int:
        url = f"http://127.0.0.1:{self.port}{path}"
        return http_request("GET", url, headers=headers, retries=False).status

    def send(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            return connection.recv(65536)

    def entries(self) -> list[dict[str, Any]]:
        """All lines; each must be JSON."""
        lines = self.stderr.read_bytes().split(b"\n")
        assert lines.pop() == b""
        entries = []
        for line in lines:
            try:
                entries.append(json.loads(line))
            except ValueError:
                pytest.fail(f"not JSON: {line!r}")
        for entry in entries:
            assert {"time", "level", "logger", "message"} <= entry.keys()
        return entries

    def access(self) -> list[dict[str, Any]]:
        return [each for each in self.entries() if each["logger"] == "jobtracker.access"]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def make_server(
    settings: dict[str, str], committing_app: Any, tmp_path: Path
) -> Iterator[Callable[..., JsonServer]]:
    url = committing_app.registry.settings["sqlalchemy.url"]
    servers: list[JsonServer] = []

    def make(kind: str, **changed: str) -> JsonServer:
        own = {name.replace("__", "."): value for name, value in changed.items()}
        server = JsonServer(tmp_path, kind, {**settings, "sqlalchemy.url": url, **own})
        servers.append(server)
        return server

    yield make
    for server in servers:
        if hasattr(server, "process") and server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.mark.parametrize("kind", ["granian", "waitress"])
def test_requests_of_all_kinds_are_one_line_of_json_each(
    make_server: Callable[..., JsonServer], kind: str
):
    server = make_server(kind)
    server.start()
    server.wait_until_up()
    before = len(server.access())
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Request-ID": "abc"}
    assert server.get("/jobs/7?q=private", **given) == 401
    host = b" HTTP/1.1\r\nHost: x\r\n"
    server.send(b"GET /a%0d%0a%1b[31m{%22level%22:1}%ff%e2%80%a8" + host + b"\r\n")
    server.send(b"GET /health" + host + b"User-Agent: \xff\xfe\x80\r\n\r\n")
    server.send(b"GET //evil/eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln" + host + b"\r\n")
    server.send(b"POST /auth/cognito/login" + host + b"Content-Length: 99999999\r\n\r\n")
    server.wait(lambda: len(server.access()) >= before + 5)
    assert server.stop() == 0
    # Two workers write in no order.
    lines = {each["path"][:3]: each for each in server.access()[before:]}
    first, odd, agent, large = (lines.pop(path) for path in ("/jo", "/a%", "/he", "/au"))
    (evil,) = lines.values()
    assert (
        first.items()
        >= {
            "request_id": "abc",
            "trace_id": trace,
            "method": "GET",
            "route": "/jobs/{job_id}",
            "path": "/jobs/7",
            "status": 401,
            "user_id": None,
            "client": "127.0.0.1",
        }.items()
    )
    assert first["bytes"] > 20
    assert first["queued_milliseconds"] >= 0
    is_main = first["worker"] == server.process.pid
    assert is_main is (kind == "waitress")
    assert (odd["route"], odd["status"]) in ((None, 400), (None, 404))
    assert odd["path"].startswith("/a%0D%0A%1B%5B31m%7B%22level")
    assert (agent["route"], agent["status"]) == ("/health", 200)
    assert (evil["status"], evil["path"]) in ((400, "//evil/***"), (404, "/evil/***"))
    assert (large["method"], large["status"]) == ("POST", 413)
    assert "private" not in server.stderr.read_text()


def test_start_crash_and_stop_of_workers_are_json(make_server: Callable[..., JsonServer]):
    server = make_server("granian")
    server.start()
    server.wait_until_up()
    main = psutil.Process(server.process.pid)
    killed = main.children()[0]
    os.kill(killed.pid, signal.SIGSEGV)
    server.wait(lambda: re.search(r"Unexpected exit", server.stderr.read_text()))
    server.wait(lambda: len([each for each in main.children() if each.is_running()]) == 2)
    server.stop()
    messages = [(each["level"], each["message"]) for each in server.entries()]
    assert any("Started worker" in message or "Spawning" in message for _, message in messages)
    assert any(level == "ERROR" and "Unexpected exit" in message for level, message in messages)


@pytest.mark.parametrize("kind", ["granian", "waitress"])
def test_invalid_settings_are_a_line_of_json_each(
    make_server: Callable[..., JsonServer], kind: str
):
    server = make_server(kind, documents__max_bytes="many", activity__dais="1")
    server.start()
    assert server.process.wait(60) == 1
    assert {(each["level"], each["message"]) for each in server.entries()} == {
        ("CRITICAL", "Setting documents.max_bytes: must be a whole number above 0"),
        ("CRITICAL", "Setting activity.dais: there is no such setting"),
    }


def test_address_in_use_is_a_line_of_json(make_server: Callable[..., JsonServer]):
    with socket.socket() as taken:
        server = make_server("granian")
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        server.start()
        assert server.process.wait(60) == 1
    (entry,) = server.entries()
    assert entry["message"].startswith("Setting port: cannot listen on")


def test_outage_of_the_database_is_one_line_a_second(
    make_server: Callable[..., JsonServer],
    make_database: Callable[[str], str],
    user_pool: MotoUserPool,
):
    url = make_database("outage")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    migrate(engine)
    engine.dispose()
    server = make_server("granian", sqlalchemy__url=url)
    server.start()
    server.wait_until_up()
    token = user_pool.user("outage@example.com", "Ada").access_token
    own = {"Authorization": f"Bearer {token}"}
    job = b'{"company_name": "a", "job_title": "b"}'

    def send(method: str, body: bytes | None) -> int:
        headers = {**own, **({"Content-Type": "application/json"} if body else {})}
        address = f"http://127.0.0.1:{server.port}/jobs"
        return http_request(method, address, headers=headers, body=body, retries=False).status

    for _ in range(4):
        assert (send("GET", None), send("POST", job)) == (200, 201)
    admin = sa.create_engine(
        sa.make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(sa.text("ALTER DATABASE outage ALLOW_CONNECTIONS false"))
        terminate = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'outage'"
        )
        connection.execute(sa.text(terminate))
        before, began = len(server.entries()), time.monotonic()
        for _ in range(60):
            assert (send("GET", None), send("POST", job)) == (503, 503)
        seconds = time.monotonic() - began
        connection.execute(sa.text("ALTER DATABASE outage ALLOW_CONNECTIONS true"))
    admin.dispose()

    def outage() -> list[dict[str, Any]]:
        new = server.entries()[before:]
        return [each for each in new if each["logger"] != "jobtracker.access"]

    server.wait(lambda: sum(1 + each.get("omitted", 0) for each in outage()) >= 120)
    assert len(outage()) <= seconds + 4  # each process reports the rest of its own
    for each in outage():
        assert each["system"] == "database"
        assert len(json.dumps(each)) < 600
    server.stop()


class Collector(ThreadingHTTPServer):
    """Receives OTLP by HTTP."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_gzip = self.headers.get("Content-Encoding") == "gzip"
                received.append(gzip.decompress(body) if is_gzip else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                """Nothing."""

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.mark.parametrize("kind", ["granian", "waitress"])
def test_spans_are_exported_at_the_stop_of_a_server(
    make_server: Callable[..., JsonServer], kind: str
):
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        server = make_server(kind)
        server.start(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}",
            OTEL_SERVICE_NAME="jobs-of-ada",
            OTEL_BSP_SCHEDULE_DELAY="3600000",
        )
        server.wait_until_up()
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        for number in range(6):
            header = f"00-{trace[:-1]}{number}-00f067aa0ba902b7-01"
            assert server.get("/jobs/7?q=private", traceparent=header) == 401
        assert not collector.received
        server.stop()
        collector.shutdown()
    sent = b"".join(collector.received)
    for number in range(6):
        assert bytes.fromhex(f"{trace[:-1]}{number}") in sent
    assert b"jobs-of-ada" in sent
    assert b"GET /jobs/{job_id}" in sent
    assert b"private" not in sent
    traced = [each["trace_id"] for each in server.access() if each["path"] == "/jobs/7"]
    assert sorted(traced) == [f"{trace[:-1]}{number}" for number in range(6)]


def test_opentelemetry_is_not_imported_without_its_variables(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    program = (
        "import json, sys, jobtracker, jobtracker.servers.granian_server\n"
        "app = jobtracker.main({}, **json.loads(sys.argv[1]))\n"
        "assert 'traces' not in app.registry\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    arguments = [sys.executable, "-c", program, json.dumps(settings)]
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    subprocess.run(arguments, cwd=CHECKOUT, check=True)  # noqa: S603 (our own program)


def test_unknown_exporter_is_an_invalid_setting(make_server: Callable[..., JsonServer]):
    server = make_server("granian")
    server.start(OTEL_TRACES_EXPORTER="nothing")
    assert server.process.wait(60) == 1
    (entry,) = server.entries()
    assert entry["message"] == "Setting OTEL_TRACES_EXPORTER: the exporter nothing is not installed"
