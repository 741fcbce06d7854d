"""The server itself: what it refuses without the application, who goes first, and how it stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import urllib3

from jobtracker.local import CHECKOUT
from tests.common.api import ORIGIN
from tests.common.server import free_port

# An application that is as slow as its path says, in seconds.
PROGRAM = """
import sys, time
from types import SimpleNamespace
from webob import Request, Response
from jobtracker.servers import granian_server as granian, waitress_server as waitress

def app(environ, start_response):
    request = Request(environ)
    if request.path != "/health":
        time.sleep(float(request.path[1:]))
    body = request.path.encode() * int(request.params.get("times", 1))
    told = {"X-Told": request.headers.get("X-Told", "")}
    return Response(body, headers=told)(environ, start_response)

settings = {"cors.origins": (sys.argv[2],), "sqlalchemy.url": "postgresql:///x"}
app.registry = SimpleNamespace(settings=settings)
bounds = {"threads": "2", "max_request_body_size": "10000", "seconds_to_finish": "3"}
where = {"host": "127.0.0.1", "port": sys.argv[1]}
if sys.argv[3] == "waitress":
    waitress.serve(app, **where, **bounds, max_request_header_size="4096")
else:
    own = {"workers": "1", "body_seconds": "1"}
    granian.server_factory({"__file__": sys.argv[4]}, **where, **bounds, **own)(app)
"""


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


class Slow:
    """A server of that application."""

    def __init__(self, kind: str) -> None:
        self.port, self.kind = free_port(), kind
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (it is as long as the server)
        ini = CHECKOUT / "production.ini"  # for its logging
        self.process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-c", PROGRAM, str(self.port), ORIGIN, kind, str(ini)],
            env=os.environ,
            stderr=self.log,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connect().close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def get(self, path: str) -> tuple[int, float]:
        """Status, and how long it took."""
        began = time.monotonic()
        answer = urllib3.request("GET", f"http://127.0.0.1:{self.port}{path}", retries=False)
        return answer.status, time.monotonic() - began

    def raw(self, request: bytes) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of what is answered to these bytes."""
        with self.connect() as connection:
            connection.sendall(request)
            answer = HTTPResponse(connection)
            answer.begin()
            return answer.status, dict(answer.getheaders()), json.loads(answer.read())

    def told(self) -> str:
        """What it has written, errors included."""
        self.log.seek(0)
        return self.log.read().decode()

    def stop(self) -> float:
        """Tell it to stop, and return how long that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0
        return time.monotonic() - began


@pytest.fixture(params=["waitress", "granian"])
def slow(request: pytest.FixtureRequest) -> Iterator[Slow]:
    server = Slow(request.param)
    yield server
    server.process.kill()
    server.process.wait()
    sys.stderr.write(server.told())
    server.log.close()


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "BAD_REQUEST"),
        (b"GET /0 HTTP/1.1\r\nno colon\r\n\r\n", 400, "BAD_REQUEST"),
        (b"GET /0 HTTP/1.1\r\nX: " + b"x" * 5000 + b"\r\n\r\n", 400, "BAD_REQUEST"),
        (b"POST /0 HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "BAD_REQUEST"),
        (
            *(b"POST /0 HTTP/1.1\r\nContent-Length: 10001\r\n\r\n" + b"x" * 10001, 413),
            "PAYLOAD_TOO_LARGE",
        ),
    ],
)
@pytest.mark.parametrize("slow", ["waitress"], indirect=True)
def test_what_never_reaches_the_application(slow: Slow, request_: bytes, status: int, code: str):
    line, _, rest = request_.partition(b"\r\n")
    answered = slow.raw(line + f"\r\nOrigin: {ORIGIN}\r\n".encode() + rest)
    assert answered[0] == status
    assert answered[2].keys() == {"error", "message"}
    assert answered[2]["error"] == code
    assert answered[1]["Content-Type"] == "application/json"
    assert len(answered[1]["X-Request-Id"]) == 32
    assert slow.get("/health")[0] == 200


@pytest.mark.parametrize("slow", ["granian"], indirect=True)
@pytest.mark.parametrize("framing", [b"Content-Length: 9\r\n\r\n", CHUNKED + b"1\r\n"])
def test_a_body_that_does_not_come(slow: Slow, framing: bytes):
    head = b"POST /0 HTTP/1.1\r\nHost: x\r\n"
    left = slow.connect()
    left.sendall(head + framing + b"x")
    began = time.monotonic()
    assert slow.raw(head + framing + b"x")[::2] == (400, {"error": "BAD_REQUEST", "message": ANY})
    assert 1 <= time.monotonic() - began < 3
    left.close()
    slow.stop()
    assert "Traceback" not in slow.told()


@pytest.mark.parametrize("slow", ["granian"], indirect=True)
def test_a_body_whose_sender_goes(slow: Slow):
    for framing in (b"Content-Length: 9\r\n\r\n", CHUNKED + b"1\r\n"):
        with slow.connect() as left:
            left.sendall(b"POST /0 HTTP/1.1\r\nHost: x\r\n" + framing + b"x")
            time.sleep(0.1)
    time.sleep(0.1)
    slow.stop()
    assert "Traceback" not in slow.told()


@pytest.mark.parametrize("slow", ["granian"], indirect=True)
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 10001\r\n\r\n", CHUNKED, b"Content-Length: 9\r\n" + CHUNKED]
)
def test_a_body_without_end(slow: Slow, framing: bytes):
    head = f"POST /0 HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\n".encode()
    body = b"x" * 10001
    if framing.endswith(CHUNKED):
        body = b"2711\r\n" + body + b"\r\n0\r\n\r\n"
    status, headers, error = slow.raw(head + framing + body)
    assert (status, error["error"]) == (413, "PAYLOAD_TOO_LARGE")
    assert {name.lower() for name in headers} >= {"x-request-id", "access-control-allow-origin"}


@pytest.mark.parametrize("slow", ["granian"], indirect=True)
def test_a_header_with_underscores_is_not_the_one_with_hyphens(slow: Slow):
    names = b"X-Told: hyphen\r\nX_Told: underscore\r\n"
    with slow.connect() as connection:
        connection.sendall(b"GET /0 HTTP/1.1\r\nHost: x\r\n" + names + b"\r\n")
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.getheader("X-Told") == "hyphen"


def test_health_does_not_wait_its_turn(slow: Slow):
    with ThreadPoolExecutor(10) as threads:
        others = [threads.submit(slow.get, "/0.3") for _ in range(10)]  # five rounds of two
        time.sleep(0.1)
        status, seconds = slow.get("/health")
        assert (status, seconds < 0.7) == (200, True)
        assert [other.result()[0] for other in others] == [200] * 10


def test_what_was_begun_is_finished(slow: Slow):
    idle = slow.connect()
    with ThreadPoolExecutor(5) as threads:
        # Two that run, two that wait, one whose answer is more than a socket takes at once.
        paths = ["/0.5", "/0.5", "/0.3", "/0.3?times=3000000"]
        begun = [threads.submit(slow.get, path) for path in paths]
        time.sleep(0.2)
        stopping = threads.submit(slow.stop)
        time.sleep(0.1)
        with pytest.raises(ConnectionRefusedError):
            slow.connect()
        assert [each.result()[0] for each in begun] == [200] * 4
        assert stopping.result() < 3
    assert idle.recv(1) == b""
    idle.close()


def test_a_connection_is_told_that_it_ends(slow: Slow):
    with slow.connect() as connection, ThreadPoolExecutor(1) as threads:
        connection.sendall(b"GET /0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        stopping = threads.submit(slow.stop)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200
        if slow.kind == "waitress":  # Granian just closes it
            assert answer.getheader("Connection") == "close"
        assert answer.read() == b"/0.5"
        assert stopping.result() < 3


def test_a_request_that_does_not_come_is_not_waited_for_for_ever(slow: Slow):
    with slow.connect() as connection:
        connection.sendall(b"GET /0 HTTP/1.1\r\nHost:")
        time.sleep(0.2)
        assert slow.stop() < 6


def test_slow_clients_hold_no_thread(slow: Slow):
    dribbling = [slow.connect() for _ in range(50)]
    for each in dribbling[:25]:
        each.sendall(b"POST /0 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx")
    for each in dribbling[25:]:
        each.sendall(b"GET /0 HTTP/1.1\r\nHo")
    assert slow.get("/0")[1] < 1
    for each in dribbling:
        each.close()


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="the kernel has no autogroups"
)
@pytest.mark.parametrize(
    ("url", "alone", "nice"),
    [
        ("postgresql:///jobs", True, 5),
        ("postgresql://me@/jobs?host=/run/postgresql", True, 5),
        ("postgresql://me@localhost/jobs", True, 5),
        ("postgresql://me@db.example.com/jobs", True, 0),
        ("postgresql://me@/jobs?host=/run/postgresql&host=db.example.com", True, 0),
        ("postgresql:///jobs", False, 0),
    ],
)
def test_a_database_that_is_here_goes_first(url: str, alone: bool, nice: int):
    program = (
        "import sys; from jobtracker.servers.cpu_affinity import prioritize_database as first;"
        "first(sys.argv[1]); print(open('/proc/self/autogroup').read())"
    )
    # Somebody else's session: that of a shell, which does not exec its last command.
    shell = [] if alone else ["sh", "-c", '"$@"; exit', "sh"]
    told = subprocess.run(  # noqa: S603 (our own program)
        [*shell, sys.executable, "-c", program, url],
        start_new_session=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    assert told.decode().split()[1:] == ["nice", str(nice)]
