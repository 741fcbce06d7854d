"""What a server answers without the application, and how it limits bodies."""

import socket
import struct
import time
from collections.abc import Callable
from unittest.mock import ANY

import pytest

from tests.common.api import ORIGIN
from tests.common.server_headers import SECURITY_HEADERS
from tests.common.toy_server import Response, ToyServer, receive

pytestmark = pytest.mark.usefixtures("logged")

HEAD = f"POST /echo HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\n".encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
TOO_LONG = b"x" * 10001
TOO_LONG_IN_CHUNKS = b"2711\r\n" + TOO_LONG + b"\r\n0\r\n\r\n"


def assert_secure(response: Response) -> None:
    given = {name.lower(): value for name, value in response.headers.items()}
    assert {name: given.get(name.lower()) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "BAD_REQUEST"),
        (b"GET /0 HTTP/1.1\r\nno colon\r\n\r\n", 400, "BAD_REQUEST"),
        (b"GET /0 HTTP/1.1\r\nX: " + b"x" * 5000 + b"\r\n\r\n", 400, "BAD_REQUEST"),
        (b"POST /0 HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "BAD_REQUEST"),
        (
            b"POST /0 HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n\r\n" + TOO_LONG,
            413,
            "PAYLOAD_TOO_LARGE",
        ),
    ],
    ids=["path", "header", "headers too large", "transfer coding", "body too large"],
)
def test_waitress_rejects_with_json(waitress: ToyServer, request_: bytes, status: int, code: str):
    line, _, rest = request_.partition(b"\r\n")
    response = waitress.send(line + f"\r\nOrigin: {ORIGIN}\r\n".encode() + rest)
    assert response.status == status
    assert response.json == {"error": code, "message": ANY}
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert len(response.headers["X-Request-Id"]) == 32
    assert_secure(response)
    assert waitress.get("/health")[0] == 200


def test_granian_rejects_with_json(granian: ToyServer):
    request = f"GET //a HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\nX-Request-ID: me\r\n\r\n"
    response = granian.send(request.encode())
    assert response.status == 400
    assert response.json == {"error": "BAD_REQUEST", "message": ANY}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["x-request-id"] == "me"
    assert_secure(response)


@pytest.mark.parametrize(
    ("version", "headers"),
    [("1.1", b"Content-Length: 5\r\n" + CHUNKED), ("1.0", b"Connection: keep-alive\r\n" + CHUNKED)],
)
def test_body_of_two_lengths_ends_the_connection(server: ToyServer, version: str, headers: bytes):
    head = f"POST /echo HTTP/{version}\r\nHost: x\r\n".encode() + headers
    with server.connect() as connection:
        connection.sendall(head + b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert receive(connection, "POST").status in (200, 400)
        assert connection.recv(1) == b""


def headers_of(response: Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


@pytest.mark.parametrize(
    ("line", "rest", "status"),
    [
        ("GET /echo", b"", 400),  # no Host
        ("GET /echo", b"Host:\r\n", 400),
        ("GET /echo", b"Host: a\r\nHost: b\r\n", 400),
        ("GET /echo", b"Host: a\r\nHost: a\r\n", 400),
        ("GET /echo", b"Host: a b\r\n", 400),
        ("GET /echo", b"Host: a, b\r\n", 400),
        ("POST /echo", b"Host: x\r\nContent-Length: 10001\r\n", 413),
        ("POST /echo", b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz", 400),
        ("POST /large-body", b"Host: x\r\nContent-Length: 20000\r\n", 401),
    ],
)
@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example", None])
def test_errors_of_the_server_have_cors_headers_for_listed_origins(
    server: ToyServer, line: str, rest: bytes, status: int, origin: str | None
):
    named = f"Origin: {origin}\r\n".encode() if origin else b""
    response = server.send(f"{line} HTTP/1.1\r\n".encode() + named + rest + b"\r\n")
    assert response.status == status
    headers = headers_of(response)
    assert headers["vary"] == "Origin"
    found = {name for name in headers if name.startswith("access-control-")}
    names = ("allow-origin", "allow-credentials", "expose-headers")
    assert found == ({f"access-control-{name}" for name in names} if origin == ORIGIN else set())
    assert headers.get("access-control-allow-origin", ORIGIN) == ORIGIN


@pytest.mark.parametrize(
    "request_",
    [
        b"GET\r\nHost: x\r\n{origin}\r\n",
        b"GET /0 HTTP/1.1\r\nno colon\r\n{origin}\r\n",
        b"GET /0 HTTP/1.1\r\nX : y\r\n{origin}Host: x\r\n\r\n",
        b"GET /0 HTTP/1.1\r\n{origin}X: " + b"x" * 5000 + b"\r\n\r\n",
        b"GET /0 HTTP/1.1\r\nX: " + b"x" * 4000 + b"\r\n{origin}Y: " + b"y" * 200 + b"\r\n\r\n",
    ],
    ids=["request line", "before a header", "blank", "too large", "too large before"],
)
def test_waitress_finds_the_origin_of_a_header_that_it_does_not_parse(
    waitress: ToyServer, request_: bytes
):
    for line in (b"Origin: %s\r\n", b"ORIGIN:%s \r\n"):
        response = waitress.send(request_.replace(b"{origin}", line % ORIGIN.encode()))
        assert response.status == 400
        assert headers_of(response)["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 10001\r\n\r\n" + TOO_LONG,
        CHUNKED + TOO_LONG_IN_CHUNKS,
        b"Content-Length: 9\r\n" + CHUNKED + TOO_LONG_IN_CHUNKS,
    ],
    ids=["length", "chunked", "both"],
)
def test_granian_rejects_a_body_that_is_too_large(granian: ToyServer, rest: bytes):
    response = granian.send(HEAD + rest)
    assert response.status == 413
    assert response.json == {"error": "PAYLOAD_TOO_LARGE", "message": ANY}
    assert response.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("rest", [b"Content-Length: 9\r\n\r\nx", CHUNKED + b"1\r\nx"])
def test_granian_rejects_a_body_that_does_not_arrive_in_time(granian: ToyServer, rest: bytes):
    with granian.connect() as abandoned:
        abandoned.sendall(HEAD + rest)
        began = time.monotonic()
        assert granian.send(HEAD + rest).status == 400
        assert time.monotonic() - began >= 1


@pytest.mark.parametrize("rest", [b"Content-Length: 9\r\n\r\nx", CHUNKED + b"1\r\nx"])
def test_a_client_that_disconnects_within_a_body_is_not_an_error(server: ToyServer, rest: bytes):
    with server.connect() as connection:
        connection.sendall(HEAD + rest)
        time.sleep(0.1)
    assert server.get("/health")[0] == 200


@pytest.mark.parametrize("end", ["close", "half-close", "reset"])
@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 9\r\n\r\n{}",
        CHUNKED + b"2\r\n{}\r\n",
        CHUNKED + b"2\r\n{}\r\n5\r\nab",
        CHUNKED + b"2\r\n{}\r\n0\r\n",
    ],
)
def test_request_whose_body_is_cut_off_does_not_reach_the_application(
    server: ToyServer, rest: bytes, end: str
):
    with server.connect() as connection:
        connection.sendall(HEAD.replace(b"/echo", b"/counted") + rest)
        time.sleep(0.1)
        if end == "half-close":
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.1)
        if end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.1)
    assert server.send(b"GET /counted HTTP/1.1\r\nHost: x\r\n\r\n").body == b"0"


def test_slow_clients_occupy_no_thread(server: ToyServer):
    connections = [server.connect() for _ in range(50)]
    for connection in connections[:25]:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx")
    for connection in connections[25:]:
        connection.sendall(b"GET /echo HTTP/1.1\r\nHo")
    assert server.get("/echo")[1] < 0.9
    for connection in connections:
        connection.close()


def test_rejected_requests_leave_no_traceback_in_the_log(logged: Callable[[], str]):
    assert "Traceback" not in logged()
