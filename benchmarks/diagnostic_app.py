"""JobTracker with additional paths for the comparison of servers: ``[app:main]`` of servers.py."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import jobtracker

StartResponse = Callable[..., Any]


def main(global_config: dict[str, str], **settings: str) -> Callable[..., Iterable[bytes]]:
    """An application factory that wraps :func:`jobtracker.main`."""
    application = jobtracker.main(global_config, **settings)

    def diagnostic(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/sleep":  # takes a second
            time.sleep(1)
            return _json_response(start_response, {"slept": 1})
        if path == "/environ":  # returns the strings of the environ
            shown = {name: value for name, value in environ.items() if isinstance(value, str)}
            return _json_response(start_response, shown)
        if path == "/upload":  # reads the whole body
            length = 0
            while chunk := environ["wsgi.input"].read(65536):
                length += len(chunk)
            return _json_response(start_response, {"length": length})
        if path == "/large":  # a response that is larger than the socket's buffers
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"x" * 65536 for _ in range(160)]
        return application(environ, start_response)

    diagnostic.registry = application.registry  # the servers use it
    return diagnostic


def _json_response(start_response: StartResponse, value: Any) -> list[bytes]:
    body = json.dumps(value).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
