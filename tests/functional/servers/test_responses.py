"""What a client gets of the application's response."""

from collections.abc import Callable
from http.client import IncompleteRead

import pytest

from tests.common.api import ORIGIN
from tests.common.toy_app import PART
from tests.common.toy_server import ToyServer, receive


def request(path: str, method: str = "GET", version: str = "1.1", headers: str = "") -> bytes:
    return f"{method} {path} HTTP/{version}\r\nHost: x\r\n{headers}\r\n".encode()


@pytest.mark.parametrize("path", ["/status/204", "/status/304", "/echo"])
def test_a_connection_survives(server: ToyServer, path: str):
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(request(path))
            response = receive(connection)
            assert "close" not in response.headers.get("Connection", "")
        connection.sendall(request("/health"))
        assert receive(connection).body == b"health"


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_has_no_body_nor_framing(server: ToyServer, status: int):
    response = server.send(request(f"/status/{status}"))
    assert (response.status, response.body) == (status, b"")
    assert not {name.lower() for name in response.headers} & {"content-length", "transfer-encoding"}


@pytest.mark.parametrize("path", ["/status/204", "/status/304", "/echo"])
@pytest.mark.parametrize(
    ("version", "headers"), [("1.1", "Connection: close\r\n"), ("1.0", "")], ids=["1.1", "1.0"]
)
def test_a_connection_is_closed_as_the_client_wants(
    server: ToyServer, path: str, version: str, headers: str
):
    with server.connect() as connection:
        connection.sendall(request(path, version=version, headers=headers))
        receive(connection)
        assert connection.recv(1) == b""


def test_http_1_0_keeps_a_connection_alive_on_demand(server: ToyServer):
    keep_alive = request("/health", version="1.0", headers="Connection: keep-alive\r\n")
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(keep_alive)
            response = receive(connection)
            names = {name.lower(): value.lower() for name, value in response.headers.items()}
            assert names["connection"] == "keep-alive"


def test_head_has_the_headers_of_get_without_the_body(server: ToyServer):
    with server.connect() as connection:
        connection.sendall(request("/health", "HEAD"))
        response = receive(connection, "HEAD")
        length = {name.lower(): value for name, value in response.headers.items()}["content-length"]
        assert (length, response.body) == ("6", b"")
        connection.sendall(request("/health"))
        assert receive(connection).body == b"health"


@pytest.mark.parametrize("path", ["/raises", "/unstarted", "/crlf", "/hop-by-hop"])
def test_an_error_of_the_application_is_500(server: ToyServer, path: str):
    response = server.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\n\r\n".encode())
    assert response.status == 500
    assert response.json["error"] == "INTERNAL_ERROR"
    headers = {name.lower(): value for name, value in response.headers.items()}
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["vary"] == "Origin"
    assert "Traceback" in server.log()


@pytest.mark.parametrize("length", [3, 10])
def test_granian_rejects_a_content_length_that_is_not_that_of_the_body(
    granian: ToyServer, length: int
):
    assert granian.send(request(f"/length/{length}")).status == 500


def test_a_body_without_a_length_is_streamed(server: ToyServer):
    with server.connect() as connection:
        connection.sendall(request("/stream/30"))
        response = receive(connection)
    assert response.body == 30 * PART
    names = {name.lower(): value for name, value in response.headers.items()}
    assert names["transfer-encoding"] == "chunked"


def test_a_streamed_body_ends_with_the_connection_of_http_1_0(server: ToyServer):
    with server.connect() as connection:
        connection.sendall(request("/stream/3", version="1.0"))
        assert receive(connection).body == 3 * PART


def test_head_of_a_streamed_body_has_none(server: ToyServer):
    response = server.send(request("/stream/3", "HEAD", headers="Connection: close\r\n"))
    assert response.status == 200
    assert not {"content-length"} & {name.lower() for name in response.headers}


def test_an_error_after_the_first_part_is_an_incomplete_body(
    server: ToyServer, logged: Callable[[], str]
):
    with pytest.raises((IncompleteRead, ConnectionResetError)):
        server.send(request("/stream-error"))
    assert server.get("/health")[0] == 200
    assert "ValueError" in logged()
