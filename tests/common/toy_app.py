"""A WSGI application that behaves as its path says, and the program that serves it.

Its arguments are ``granian|waitress PORT INI ORIGIN [SETTING=VALUE]...``.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

from pyramid.registry import Registry

from jobtracker.errors import Unauthorized
from jobtracker.http.service import Operation, ThreadPool
from jobtracker.permissions import Permission
from jobtracker.servers import fair_queue, granian_server, waitress_server

POOLS = {"/health": ThreadPool.HEALTH, "/ready": ThreadPool.READINESS}
TEXT = [("Content-Type", "text/plain")]
# The methods of the requests for /counted, and "part" for each part of a streamed response.
COUNTED: list[str] = []
PART = b"x" * 100_000
LIMITS = {"threads": "2", "max_request_body_size": "1000000", "seconds_to_finish": "3"}
GRANIAN = {"workers": "1", "body_seconds": "1"}
WAITRESS = {"max_request_header_size": "4096", "connection_limit": "300"}


def toy_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    name, _, argument = environ["PATH_INFO"][1:].partition("/")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: list[bytes] = [name.encode("latin-1")]
    match name:
        case "sleep":
            time.sleep(float(argument))
        case "large":
            body = [b"x" * int(argument or 3_000_000)]
        case "status":
            start_response(f"{argument} Status", [] if argument in ("204", "304") else TEXT)
            return []
        case "stream":
            start_response("200 OK", TEXT)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else parts(int(argument))
        case "stream-error":
            start_response("200 OK", TEXT)
            return parts(3, ValueError("after the first part"))
        case "made":
            body = [str(COUNTED.count("part")).encode()]
        case "raises":
            raise ValueError("before start_response")
        case "unstarted":
            return []
        case "length":  # a Content-Length that is not that of the body
            start_response("200 OK", [*TEXT, ("Content-Length", argument)])
            return body
        case "crlf":
            start_response("200 OK", [*TEXT, ("X-Header", "a\r\nb: c")])
            return []
        case "hop-by-hop":
            start_response("200 OK", [*TEXT, ("Connection", "close")])
            return []
        case "health":
            pass
        case "counted":
            COUNTED.append(environ["REQUEST_METHOD"])
            body = [str(COUNTED.count("POST")).encode()]
        case "large-body":
            body = [str(len(environ["wsgi.input"].read(length))).encode()]
        case _:
            seen = {key: value for key, value in environ.items() if isinstance(value, str)}
            seen["body"] = environ["wsgi.input"].read(length).decode("latin-1")
            body = [json.dumps(seen).encode()]
    start_response("200 OK", [*TEXT, ("Content-Length", str(sum(map(len, body))))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else body


def parts(number: int, error: Exception | None = None) -> Iterator[bytes]:
    for _ in range(number):
        COUNTED.append("part")
        yield PART
    if error is not None:
        raise error


def find_operation(_method: str, path: str) -> Operation | None:
    """Of ``/unknown`` none; ``/large-body`` takes more than others, with a token."""
    is_large = path == "/large-body"
    operation = Operation(
        view=lambda _request: None,
        permission=Permission.WRITE if is_large else Permission.PUBLIC,
        max_body_bytes=1_000_000 if is_large else 10_000,
        thread_pool=POOLS.get(path, ThreadPool.READ),
    )
    return None if path == "/unknown" else operation


def check_authorization(environ: dict[str, str]) -> None:
    if environ.get("HTTP_AUTHORIZATION") != "Bearer valid":
        raise Unauthorized


class App:
    """The application, with what the servers need of a Pyramid application."""

    def __init__(self, wsgi: Any, origin: str) -> None:
        self.wsgi = wsgi
        self.registry = Registry()
        self.registry.settings = {
            "cors.origins": (origin,),
            "http.hsts_max_age": 60,
            "proxies.trusted": (),
        }
        self.registry["find_operation"] = find_operation
        self.registry["check_authorization"] = check_authorization
        self.registry["is_draining"] = bool
        self.registry["user_of"] = lambda environ: environ.get("HTTP_AUTHORIZATION")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/ready" and self.registry["is_draining"]():
            environ = {**environ, "PATH_INFO": "/status/503"}
        return self.wsgi(environ, start_response)


def program() -> None:
    main(*sys.argv[1:])


def main(kind: str, port: str, ini: str, origin: str, *options: str) -> None:
    address = {"host": "127.0.0.1", "port": port, **LIMITS}
    given = dict(option.split("=") for option in options)
    fair_queue.SLOW_SECONDS = 30  # no request of a machine that pauses is one
    if kind == "waitress":
        settings = {**address, **WAITRESS, **given}
        waitress_server.server_factory({}, **settings)(App(toy_app, origin))
    else:
        settings = {**address, **GRANIAN, **given}
        app = App(validator(toy_app), origin)
        granian_server.server_factory({"__file__": ini}, **settings)(app)
