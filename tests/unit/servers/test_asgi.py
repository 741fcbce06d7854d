"""The adapter, without a server."""

import asyncio
import io
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

import pytest

from jobtracker.errors import BadRequest
from jobtracker.servers.asgi import (
    call_application,
    check_request,
    make_environ,
    read_body,
    set_body,
    start_of_response,
)
from jobtracker.servers.transfers import Transfer

TEXT = [("Content-Type", "text/plain")]
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "method": "GET",
        "raw_path": b"/",
        "query_string": b"",
        "server": ("192.0.2.1", "80"),
        "client": ("192.0.2.2", "1234"),
        "http_version": "1.1",
        "scheme": "http",
        "headers": [(b"host", b"x")],
        **changes,
    }


def response_of(app: WSGI, method: str = "GET") -> tuple[int, list[tuple[str, str]], bytes]:
    """Of an application that the validator checks, as it checks the adapter."""
    environ = make_environ(scope(method=method, headers=[(b"host", b"x"), (b"x-header", b"\xff")]))
    set_body(environ, b"body")
    status, headers, body, rest = call_application(validator(app), environ)
    if rest is not None:
        try:
            body += b"".join(rest.parts)
        finally:
            rest.close()
    return status, headers, body


def test_a_valid_application_gets_a_valid_environ():
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("201 Created", TEXT)
        return [environ["wsgi.input"].read(4), b"", b"!"]

    assert response_of(app, "POST") == (201, TEXT, b"body!")


def test_write_comes_before_the_iterable():
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"a")
        write(b"b")
        return [b"c"]

    assert response_of(app)[2] == b"abc"


def test_a_body_of_an_iterator_without_a_length_is_streamed_after_its_first_part():
    made: list[bytes] = []

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)  # by the first iteration
        for part in (b"", b"a", b"", b"b"):
            made.append(part)
            yield part

    *response, rest = call_application(app, make_environ(scope()))
    assert response == [200, TEXT, b"a"]
    assert rest is not None
    assert made == [b"", b"a"]
    assert list(rest.parts) == [b"b"]


def test_a_body_with_a_length_is_collected():
    headers = [*TEXT, ("content-length", "2")]

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", headers)
        yield b"a"
        yield b"b"

    assert call_application(app, make_environ(scope())) == (200, headers, b"ab", None)


def test_exc_info_replaces_a_response_that_has_no_body_yet():
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        try:
            raise ValueError
        except ValueError:
            start_response("500 Failed", TEXT, sys.exc_info())
        return [b"failed"]

    assert response_of(app) == (500, TEXT, b"failed")


def test_exc_info_is_raised_after_the_body_has_begun():
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"a")
        try:
            raise ValueError("of the application")
        except ValueError:
            start_response("500 Failed", TEXT, sys.exc_info())
        return []

    with pytest.raises(ValueError, match="of the application"):
        response_of(app)


class Closable:
    closed = False

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = iter(chunks)

    def __iter__(self) -> "Closable":
        return self

    def __next__(self) -> bytes:
        chunk = next(self.chunks)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self) -> None:
        self.closed = True


def test_the_iterable_is_closed():
    result = Closable(b"a")

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return result

    assert response_of(app)[2] == b"a"
    assert result.closed


def test_the_iterable_is_closed_after_an_error():
    result = Closable(b"a", ValueError("of the iterable"))

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return result

    with pytest.raises(ValueError, match="of the iterable"):
        response_of(app)
    assert result.closed


@pytest.mark.parametrize(
    ("calls", "body"),
    [
        ([], []),
        ([], [b"a"]),
        ([("200 OK", TEXT), ("200 OK", TEXT)], []),
        ([("nonsense", TEXT)], []),
        ([("200 OK", [("Connection", "close")])], []),
        ([("200 OK", [("Content-Length", "2")])], [b"abc"]),
        ([("200 OK", [("Content-Length", "4")])], [b"abc"]),
    ],
    ids=["no response", "only a body", "twice", "status", "hop-by-hop", "too long", "too short"],
)
def test_a_violation_of_the_protocol_is_an_error(calls: list[Any], body: list[bytes]):
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for call in calls:
            start_response(*call)
        return body

    with pytest.raises((RuntimeError, ValueError)):
        call_application(app, make_environ(scope()))


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_body_loses_body_and_content_length(status: str):
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Length", "1"), ("ETag", '"a"')])
        return [b"a"]

    environ = make_environ(scope())
    assert call_application(app, environ) == (int(status[:3]), [("ETag", '"a"')], b"", None)


def test_head_may_have_the_content_length_of_get():
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "9")])
        return []

    assert call_application(app, make_environ(scope(method="HEAD")))[1] == [("Content-Length", "9")]


def test_headers_are_sent_as_latin_1():
    assert start_of_response(200, [("X-Header", "\xfc")]) == {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"X-Header", b"\xfc")],
    }


def test_the_environ_has_a_client_a_server_and_an_empty_body():
    environ = make_environ(scope())
    assert environ["REMOTE_ADDR"] == "192.0.2.2"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("192.0.2.1", "80")
    assert environ["wsgi.input"].read() == b""
    assert "CONTENT_LENGTH" not in environ


@pytest.mark.parametrize(("version", "protocol"), [("1.1", "HTTP/1.1"), ("1", "HTTP/1.0")])
def test_the_environ_has_the_protocol(version: str, protocol: str):
    assert make_environ(scope(http_version=version))["SERVER_PROTOCOL"] == protocol


def test_a_body_replaces_its_transfer_coding():
    environ = make_environ(scope(headers=[(b"transfer-encoding", b"chunked")]))
    set_body(environ, b"abc")
    assert "HTTP_TRANSFER_ENCODING" not in environ
    assert environ["CONTENT_LENGTH"] == "3"
    assert isinstance(environ["wsgi.input"], io.BytesIO)


@pytest.mark.parametrize(
    "changes",
    [
        {"raw_path": b""},
        {"raw_path": b"*"},
        {"raw_path": b"//a"},
        {"raw_path": b"/%2fa"},
        {"method": "CONNECT"},
        {"headers": []},
        {"headers": [(b"host", b"")]},
        {"headers": [(b"host", b"x"), (b"host", b"y")]},
        {"headers": [(b"host", b"x"), (b"content-length", b"3"), (b"content-length", b"3")]},
        {"headers": [(b"host", b"x"), (b"transfer-encoding", b"gzip, chunked")]},
    ],
    ids=str,
)
def test_a_request_without_a_faithful_environ_is_rejected(changes: dict[str, Any]):
    environ = make_environ(scope(**changes))
    with pytest.raises(BadRequest):
        check_request(environ)


def test_http_1_0_needs_no_host():
    environ = make_environ(scope(http_version="1", headers=[(b"host", b"")]))
    check_request(environ)
    assert "HTTP_HOST" not in environ


def test_a_body_of_many_small_parts_takes_little_more_memory_than_its_bytes():
    size = 500_000

    lefts = iter(range(size - 2, -2, -2))

    async def receive() -> dict[str, Any]:
        left = next(lefts)
        return {"type": "http.request", "body": bytes([left % 256, 0]), "more_body": left > 0}

    async def read() -> bytes:
        return await read_body(receive, None, size, Transfer(size, None))

    tracemalloc.start()
    body = asyncio.run(read())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(body) == size
    assert peak < 5 * size
