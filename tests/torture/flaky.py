"""An HTTP gateway that refuses a part of all requests."""

import contextlib
import http.client
import random
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.common.proxy import HOST

TARGET = "X-Amz-Target"


class FlakyGateway:
    """A port in front of a server: some requests are answered with 503, others are passed on.

    :param refused: operations of AWS that are always refused
    :param share: of the others, of those that are refused
    """

    def __init__(self, port: int, share: float, refused: frozenset[str] = frozenset()) -> None:
        self.target, self.share, self.refused = port, share, refused
        #: By operation or method, and whether it was refused.
        self.calls: Counter[tuple[str, bool]] = Counter()
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def refuses(self, operation: str) -> bool:
        is_refused = operation in self.refused or random.random() < self.share  # noqa: S311
        self.calls[operation, is_refused] += 1
        return is_refused


def _handler(gateway: FlakyGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get(TARGET, "").rpartition(".")[2] or self.command
            if gateway.refuses(operation):
                self.respond(503, {}, b"")
                return
            connection = http.client.HTTPConnection(HOST, gateway.target, timeout=60)
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            content = response.read()
            connection.close()
            names = {"connection", "content-length", "transfer-encoding", "date", "server"}
            pairs = response.getheaders()
            headers = {name: value for name, value in pairs if name.lower() not in names}
            self.respond(response.status, headers, content)

        def respond(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(ConnectionError):  # the client has been killed
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    handle: Callable[..., None] = Handler.handle_request
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", handle)
    return Handler
