"""JobTracker with paths beside it that show how a server behaves: ``[app:main]`` of servers.py."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import jobtracker

StartResponse = Callable[..., Any]


def main(global_config: dict[str, str], **settings: str) -> Callable[..., Iterable[bytes]]:
    """An app factory, as :func:`jobtracker.main` is one."""
    application = jobtracker.main(global_config, **settings)

    def slow(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/sleep":  # a second of work
            time.sleep(1)
            return answer(start_response, {"slept": 1})
        if path == "/environ":  # what the application is told
            shown = {name: value for name, value in environ.items() if isinstance(value, str)}
            return answer(start_response, shown)
        if path == "/upload":  # a body, read as far as it goes
            length = 0
            while chunk := environ["wsgi.input"].read(65536):
                length += len(chunk)
            return answer(start_response, {"length": length})
        if path == "/large":  # more than fits into the buffers of a connection
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"x" * 65536 for _ in range(160)]
        return application(environ, start_response)

    slow.registry = application.registry  # what the servers need of a Pyramid application
    return slow


def answer(start_response: StartResponse, value: Any) -> list[bytes]:
    body = json.dumps(value).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
