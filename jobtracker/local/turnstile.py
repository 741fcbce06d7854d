"""A fake of Turnstile's siteverify that accepts the token of Cloudflare's test widgets only.

https://developers.cloudflare.com/turnstile/troubleshooting/testing/
"""

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from jobtracker.local.guard import Guard
from jobtracker.local.process import check_port

HOST = "127.0.0.1"
DUMMY_TOKEN = "XXXX.DUMMY.TOKEN.XXXX"  # noqa: S105 (published)


class _Handler(BaseHTTPRequestHandler):
    server: "LocalTurnstile"
    timeout = 10  # seconds

    def do_POST(self) -> None:
        if reason := self.reason_to_refuse():
            self.send_error(403, explain=reason)
            return
        length = min(int(self.headers.get("Content-Length", 0)), 16 * 1024)
        form = parse_qs(self.rfile.read(length).decode(errors="replace"))
        codes = []
        if form.get("secret") != [self.server.secret]:
            codes.append("invalid-input-secret")
        if form.get("response") != [DUMMY_TOKEN]:
            codes.append("invalid-input-response")
        body = json.dumps({"success": not codes, "error-codes": codes}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reason_to_refuse(self) -> str | None:
        hosts = self.headers.get_all("Host", [])
        return Guard().reason_to_refuse(", ".join(hosts), self.headers.get("Origin"))

    def log_message(self, *_args: object) -> None:
        """Write no access log."""


class LocalTurnstile(ThreadingHTTPServer):
    """The server, in a thread of its own; RuntimeError if the port is in use."""

    request_queue_size = 128

    def __init__(self, port: int) -> None:
        check_port(HOST, port, "local.turnstile_port in [app:main]")
        super().__init__((HOST, port), _Handler)
        self.secret = secrets.token_urlsafe()
        self.url = f"http://{HOST}:{self.server_port}/siteverify"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
