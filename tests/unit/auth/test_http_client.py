"""The HTTP client of Turnstile and the JWKS."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jobtracker.auth.http_client import MAX_RESPONSE_BYTES, JsonClient
from jobtracker.aws import DEFAULT_TIMEOUTS


class EchoHandler(BaseHTTPRequestHandler):
    """Answers with the headers of the request; ``/redirect`` redirects to ``/``."""

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        if self.path == "/large":
            body += b" " * MAX_RESPONSE_BYTES
        self.send_response(302 if self.path == "/redirect" else 200)
        self.send_header("Location", "/")
        self.send_header("Set-Cookie", "name=value")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Write no log."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), EchoHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def client() -> JsonClient:
    return JsonClient(DEFAULT_TIMEOUTS)


def test_proxies_and_netrc_of_the_environment_are_ignored(
    url: str, client: JsonClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # not for this machine
    status, headers = client.request("GET", url)
    assert status == 200
    assert "authorization" not in headers


def test_redirects_are_not_followed(url: str, client: JsonClient):
    assert client.request("GET", f"{url}/redirect")[0] == 302


def test_cookies_are_not_stored(url: str, client: JsonClient):
    for _ in range(2):
        _status, headers = client.request("GET", url)
        assert "cookie" not in headers


def test_too_large_a_response_is_an_error(url: str, client: JsonClient):
    with pytest.raises(ValueError, match="too large"):
        client.request("GET", f"{url}/large")
