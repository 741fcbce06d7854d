"""What the servers receive of a body: nothing beyond what its operation takes."""

import socket
import time
from collections.abc import Iterator

import pytest

from jobtracker.servers.transfers import STALLED_AFTER
from tests.common.slow_clients import connect
from tests.common.toy_server import Response, ToyServer, receive

TOKEN = b"Authorization: Bearer valid\r\n"
CONTINUE = b"Expect: 100-continue\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LARGE = 500_000


def head(path: bytes, *headers: bytes) -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path, b"".join(headers))


def length(number: int) -> bytes:
    return b"Content-Length: %d\r\n" % number


def answer_to(server: ToyServer, request: bytes) -> Response:
    """The response to a request whose body is not sent."""
    with connect(server.port) as client:
        client.sendall(request)
        client.settimeout(1.5)
        return receive(client)


@pytest.fixture(params=["granian", "waitress"])
def small(request: pytest.FixtureRequest) -> Iterator[ToyServer]:
    """A server with little room for bodies."""
    server = ToyServer(request.param, "max_buffered_bytes=900000", "body_seconds=20")
    yield server
    server.close()


@pytest.mark.parametrize("expect", [b"", CONTINUE], ids=["", "100-continue"])
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (b"/echo", length(10_001), 413),
        (b"/echo", length(2**40), 413),
        (b"/large-body", TOKEN + length(1_000_001), 413),
        (b"/large-body", length(LARGE), 401),
        (b"/large-body", b"Authorization: Bearer forged\r\n" + length(LARGE), 401),
        (b"/large-body", CHUNKED, 401),
        (b"/unknown", length(LARGE), 200),  # of the application, without the body
        (b"/unknown", CHUNKED, 200),
    ],
)
def test_body_is_refused_before_it_is_sent(
    server: ToyServer, path: bytes, headers: bytes, status: int, expect: bytes
):
    response = answer_to(server, head(path, headers, expect))
    assert response.status == status
    if status == 200:
        assert (response.json["CONTENT_LENGTH"], response.json["body"]) == ("0", "")
    if status == 401:
        assert "bearer" in {value.lower() for value in response.headers.values()}


@pytest.mark.parametrize("path", [b"/echo", b"/large-body", b"/unknown"])
def test_chunks_are_counted(server: ToyServer, path: bytes):
    limit = 1_000_000 if path == b"/large-body" else 10_000
    chunk = b"%x\r\n%s\r\n" % (5000, b"x" * 5000)
    with connect(server.port) as client:
        client.sendall(head(path, CHUNKED, TOKEN))
        client.sendall(chunk * (limit // 5000 + 1))
        assert receive(client).status == (200 if path == b"/unknown" else 413)


@pytest.mark.parametrize("headers", [length(LARGE), CHUNKED], ids=["length", "chunked"])
def test_large_body_with_a_token_is_received(server: ToyServer, headers: bytes):
    body = b"x" * LARGE
    if headers == CHUNKED:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    response = server.send(head(b"/large-body", headers, TOKEN) + body)
    assert response.status == 200
    assert response.json == LARGE


@pytest.mark.parametrize("path", [b"/echo", b"/large-body", b"/unknown"])
def test_response_arrives_although_the_client_sends_all_of_the_body(server: ToyServer, path: bytes):
    with connect(server.port) as client:
        client.sendall(head(path, length(5_000_000)) + b"x" * 5_000_000)
        assert receive(client).status in (200, 401, 413)


@pytest.mark.parametrize("path", [b"/echo", b"/large-body", b"/unknown"])
def test_refused_body_is_not_taken_for_a_request(server: ToyServer, path: bytes):
    inner = b"GET /sleep/0 HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(server.port) as client:
        client.sendall(head(path, length(1_000_001)) + inner * 10)
        client.settimeout(5)
        received = b""
        while part := client.recv(65536):
            received += part
    assert received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"HEAD"])
def test_connection_survives_a_small_body_that_is_ignored(granian: ToyServer, method: bytes):
    request = b"%s /unknown HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" % method
    with granian.connect() as client:
        for _ in range(2):
            client.sendall(request)
            assert receive(client, method.decode()).status == 200


def test_bodies_without_room_are_503_and_health_is_not(small: ToyServer):
    def send(client: socket.socket, size: int) -> None:
        client.sendall(head(b"/large-body", TOKEN, length(LARGE)) + b"x" * size)

    with connect(small.port) as first, connect(small.port) as second:
        send(first, LARGE // 2)
        time.sleep(0.3)
        send(second, LARGE // 2)
        response = receive(second)
        assert response.status == 503
        assert "retry-after" in {name.lower() for name in response.headers}
        assert small.get("/health")[0] == 200
        assert small.send(head(b"/echo", length(3)) + b"abc").status == 200
        first.sendall(b"x" * (LARGE // 2))
        assert receive(first).status == 200


def test_body_that_does_not_arrive_gives_way_to_another(small: ToyServer):
    request = head(b"/large-body", TOKEN, length(LARGE))
    with connect(small.port) as stalled:
        stalled.sendall(request + b"x" * 1000)
        time.sleep(STALLED_AFTER + 1)
        assert small.send(request + b"x" * LARGE).status == 200
