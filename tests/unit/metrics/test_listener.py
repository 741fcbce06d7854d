"""The HTTP server of the metrics, and clients that would occupy it."""

import contextlib
import socket

import pytest

from jobtracker.metrics import listener
from jobtracker.metrics.listener import MAX_CONNECTIONS, Listener

TEXT = b"jobtracker_workers 2\n" * 100_000


@pytest.fixture(scope="module")
def address() -> tuple[str, int]:
    """Of one whose thread ends with the process."""
    listening = socket.create_server(("127.0.0.1", 0))
    Listener(listening, lambda: TEXT).start()
    return listening.getsockname()


def request(address: tuple[str, int], data: bytes) -> bytes:
    """All that is received until the connection is closed."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


def test_scrape_is_complete(address: tuple[str, int]):
    for line in (b"GET /metrics HTTP/1.1", b"GET /metrics?x=1 HTTP/1.0"):
        header, _, body = request(address, line + b"\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
        assert header.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4;")
        assert f"Content-Length: {len(TEXT)}".encode() in header
        assert body == TEXT


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HEAD /metrics HTTP/1.1", b"200"),
        (b"POST /metrics HTTP/1.1", b"405"),
        (b"GET / HTTP/1.1", b"404"),
        (b"GET /metrics/x HTTP/1.1", b"404"),
        (b"\xff", b"404"),
        (b"", b"404"),
    ],
)
def test_other_requests_have_no_body(address: tuple[str, int], line: bytes, status: bytes):
    header, _, body = request(address, line + b"\r\n\r\n").partition(b"\r\n\r\n")
    assert header.split(b" ")[1] == status
    assert body == b""


def test_connection_with_a_large_header_is_closed(address: tuple[str, int]):
    with contextlib.suppress(ConnectionError):  # reset, since not all is received
        assert request(address, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000) == b""


def test_slow_client_is_disconnected(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listener, "CONNECTION_SECONDS", 0.2)
    with contextlib.suppress(ConnectionResetError):
        assert request(address, b"GET /metr") == b""


def test_idle_and_unread_connections_give_way_to_a_scrape(address: tuple[str, int]):
    idle = []
    for number in range(2 * MAX_CONNECTIONS):
        connection = socket.create_connection(address, timeout=10)
        idle.append(connection)
        if number % 2:
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")  # and receives nothing
    assert request(address, b"GET /metrics HTTP/1.1\r\n\r\n").endswith(TEXT)
    for connection in idle:
        connection.close()
