"""A Turnstile verifier of our own, for the widget with Cloudflare's published test keys.

https://developers.cloudflare.com/turnstile/troubleshooting/testing/: the test widgets all give the
same dummy token. It is the one that is let in here; a made-up one is refused, as in production.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from jobtracker.local import ports

HOST = "127.0.0.1"
DUMMY_TOKEN = "XXXX.DUMMY.TOKEN.XXXX"  # noqa: S105 (published)
MAX_BODY = 16 * 1024


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length", 0)), MAX_BODY)
        form = parse_qs(self.rfile.read(length).decode(errors="replace"))
        passed = form.get("response") == [DUMMY_TOKEN]
        codes = [] if passed else ["invalid-input-response"]
        body = json.dumps({"success": passed, "error-codes": codes}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Nothing to tell."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


class LocalTurnstile:
    """The verifier, in a thread."""

    SECRET = "local"  # noqa: S105 (any: nobody else can ask)

    def __init__(self, port: int) -> None:
        self.port = port
        self.server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/siteverify"

    def start(self) -> None:
        ports.check(HOST, self.port, "local.turnstile_port in [app:main]")
        self.server = _Server((HOST, self.port), _Handler)
        self.port = self.server.server_port  # another one where 0 was asked for
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
