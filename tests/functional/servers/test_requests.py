"""What an application sees of a request is the same with Granian and with waitress."""

from collections.abc import Callable
from http.client import RemoteDisconnected
from typing import Any

import pytest

from tests.common.requests_corpus import CORPUS, RawRequest
from tests.common.toy_server import ToyServer

pytestmark = pytest.mark.usefixtures("logged")


def echo(server: ToyServer, request: RawRequest) -> tuple[int | None, dict[str, Any] | None]:
    """Status, and for 200 the method, path, query, headers and body of the environ."""
    try:
        response = server.send(request.bytes)
    except RemoteDisconnected:
        return None, None
    if response.status != 200 or not response.body:
        return response.status, None
    seen = response.json
    seen["PATH_INFO"] = seen["PATH_INFO"] or "/"
    return 200, {
        key: value
        for key, value in seen.items()
        if key.startswith("HTTP_")
        or key in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "body")
    }


@pytest.mark.parametrize("request_", CORPUS, ids=lambda request: request.name)
def test_both_servers_pass_on_the_same_environ_or_reject(
    granian: ToyServer, waitress: ToyServer, request_: RawRequest
):
    (status, environ), (other_status, other_environ) = (
        echo(granian, request_),
        echo(waitress, request_),
    )
    assert (status, other_status) == request_.statuses
    if status == other_status:
        assert environ == other_environ


def test_header_bytes_are_latin_1_in_the_environ(server: ToyServer):
    request = "GET /echo HTTP/1.1\r\nHost: x\r\nX-Header: zürich\r\n\r\n".encode()
    assert server.send(request).json["HTTP_X_HEADER"] == "zürich".encode().decode("latin-1")


def test_a_raw_utf_8_query_is_latin_1_in_the_environ(granian: ToyServer):
    response = granian.send("GET /echo?q=ü HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert response.json["QUERY_STRING"] == "q=ü".encode().decode("latin-1")


def test_a_percent_encoded_path_is_decoded_to_bytes(server: ToyServer):
    response = server.send(b"GET /z%C3%BC%FF HTTP/1.1\r\nHost: x\r\n\r\n")
    assert response.json["PATH_INFO"] == b"/z\xc3\xbc\xff".decode("latin-1")


def test_http_1_0_is_the_server_protocol(server: ToyServer):
    response = server.send(b"GET /echo HTTP/1.0\r\nHost: x\r\n\r\n")
    assert response.json["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_a_chunked_body_has_a_content_length_and_no_transfer_encoding(server: ToyServer):
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    environ = server.send(head + b"3\r\nabc\r\n0\r\n\r\n").json
    assert (environ["CONTENT_LENGTH"], environ["body"]) == ("3", "abc")
    assert "HTTP_TRANSFER_ENCODING" not in environ


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"]
)
def test_an_incomplete_body_of_a_half_closed_connection_is_rejected(server: ToyServer, body: bytes):
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\n" + body
    try:
        status = server.send(request, half_close=True).status
    except RemoteDisconnected:  # by waitress
        status = 400
    assert status == 400


def test_no_request_leaves_a_traceback_in_the_log(logged: Callable[[], str]):
    assert "Traceback" not in logged()
