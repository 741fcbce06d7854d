"""ASGI-to-WSGI adapter: the environ of a request and the response of a WSGI application.

PEP 3333 (https://peps.python.org/pep-3333/). A response body with a Content-Length is collected
before it is sent; another one is sent as its parts are made. Strings of the environ are bytes
decoded as Latin-1.
"""

import asyncio
import contextlib
import functools
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes
from wsgiref.util import is_hop_by_hop

from jobtracker.errors import BadRequest, PayloadTooLarge
from jobtracker.servers import check_host
from jobtracker.servers.transfers import Transfer

Headers = list[tuple[str, str]]


class Rest(NamedTuple):
    """What follows the first part of a body that is streamed."""

    parts: Iterator[bytes]
    #: To be called at the end, whether all parts were taken or not.
    close: Callable[[], None]


class Response(NamedTuple):
    status: int
    headers: Headers
    body: bytes
    rest: Rest | None = None


# Bytes of a message of a large response: as many as Granian holds are lost to the limit on memory.
PART_BYTES = 64 * 1024
# Of the rest of a body that is not read, while the client may still be sending it.
DISCARD_SECONDS = 2
DISCARD_BYTES = 8 * 1024 * 1024


def make_environ(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The environ of an HTTP request, without its body."""
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # Not scope["path"]: it has U+FFFD in place of bytes that are not UTF-8.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": "HTTP/1.1" if scope["http_version"] == "1.1" else "HTTP/1.0",
        "REMOTE_ADDR": scope["client"][0],
        "REMOTE_PORT": scope["client"][1],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "webob.is_body_seekable": True,  # otherwise pyramid_retry copies the body
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if key := _environ_key(name):
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]}, {text}" if key in environ else text
    if not environ.get("HTTP_HOST"):  # Granian adds an empty one where there is none
        environ.pop("HTTP_HOST", None)
    return environ


@functools.lru_cache(maxsize=64)
def _environ_key(name: bytes) -> str | None:
    if b"_" in name:  # indistinguishable from the hyphenated header in the environ
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def check_request(environ: Mapping[str, Any]) -> None:
    """Reject what an environ cannot represent, and what has more than one meaning.

    :raises BadRequest: for CONNECT, ``OPTIONS *`` and ``//`` at the start of a path; for HTTP/1.1
        without one valid Host; for several lengths, and transfer codings but chunked
    """
    path = environ["PATH_INFO"]
    check_host(environ.get("HTTP_HOST", ""), environ["SERVER_PROTOCOL"])
    if (
        environ["REQUEST_METHOD"] == "CONNECT"
        or path[:1] != "/"
        or path[:2] == "//"
        or not environ.get("CONTENT_LENGTH", "0").isdecimal()
        or environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked"
    ):
        raise BadRequest


def content_length(environ: Mapping[str, Any]) -> int | None:
    """The length of a body, 0 without one, None for a chunked one."""
    # Transfer-Encoding overrides Content-Length (RFC 9112, 6.3).
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    return int(environ.get("CONTENT_LENGTH", 0))


def set_body(environ: dict[str, Any], body: bytes) -> None:
    """Add the body of a request, whose transfer coding is decoded."""
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)


async def read_body(
    receive: Callable[[], Any], length: int | None, max_bytes: int, transfer: Transfer
) -> bytes:
    """The body of an ASGI request, its transfer coding decoded.

    :param length: its Content-Length, None for a chunked one
    :raises BadRequest: where it is incomplete: malformed chunks, a closed connection
    :raises PayloadTooLarge: beyond max_bytes
    """
    # Not a list of the parts: a chunked body can have hundreds of thousands of a few bytes, each of
    # which takes fifty.
    body, more = bytearray(), True
    while more and len(body) != length:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest
        body += message["body"]
        more = message["more_body"]
        if len(body) > max_bytes:
            raise PayloadTooLarge
        transfer.add_progress(len(message["body"]))
    return bytes(body)


async def discard_body(receive: Callable[[], Any]) -> None:
    """Receive the rest of a body for a while: the connection is reset otherwise, and the client may
    not see the response."""
    discarded = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while discarded < DISCARD_BYTES:
                message = await receive()
                if not message.get("more_body"):
                    return
                discarded += len(message["body"])


def call_application(
    application: Callable[[dict[str, Any], Any], Iterable[bytes]], environ: dict[str, Any]
) -> Response:
    """The response; RuntimeError or ValueError for violations of PEP 3333.

    What an iterator yields without a Content-Length is streamed, after the first part.
    """
    response: tuple[int, Headers] | None = None
    parts: list[bytes] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Any:
        nonlocal response
        if exc_info is not None and parts:  # a streaming server would have sent the headers
            raise exc_info[1].with_traceback(exc_info[2])
        if response is not None and exc_info is None:
            raise RuntimeError("start_response is called twice")
        response = int(status.split(" ", 1)[0]), headers
        return parts.append

    chunks = application(environ, start_response)
    close = getattr(chunks, "close", lambda: None)
    rest = None
    try:
        iterator = iter(chunks)
        is_streamed = False
        for chunk in iterator:
            if response is None:
                raise RuntimeError("start_response is not called before the body")
            if chunk:
                parts.append(chunk)
            is_streamed = bool(parts) and iterator is chunks and not _has_length(response[1])
            if is_streamed:
                break
        if response is None:
            raise RuntimeError("start_response is not called")
        status, headers = response
        by_name = {name.lower(): value for name, value in headers}
        if any(map(is_hop_by_hop, by_name)):
            raise ValueError("The application sets a hop-by-hop header")
        if status in (204, 304):
            kept = [header for header in headers if header[0].lower() != "content-length"]
            return Response(status, kept, b"")
        body = b"".join(parts)
        length = int(by_name.get("content-length", len(body)))
        if length != len(body) and environ["REQUEST_METHOD"] != "HEAD":
            raise ValueError(f"Content-Length is {length}, but the body has {len(body)} bytes")
        if is_streamed:
            rest = Rest(filter(None, iterator), close)
        return Response(status, headers, body, rest)
    finally:
        if rest is None:
            close()


def _has_length(headers: Headers) -> bool:
    return any(name.lower() == "content-length" for name, _value in headers)


async def send_part(send: Callable[[dict[str, Any]], Any], transfer: Transfer, body: bytes) -> None:
    """Send some of a body, in an event loop, and not faster than the client receives it."""
    for start in range(0, len(body), PART_BYTES):
        part = body[start : start + PART_BYTES]
        await send({"type": "http.response.body", "body": part, "more_body": True})
        transfer.add_progress(len(part))


def start_of_response(status: int, headers: Headers) -> dict[str, Any]:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": encoded}
