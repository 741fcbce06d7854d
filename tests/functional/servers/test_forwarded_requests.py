"""What proxies add to requests: headers of several forms, and a path prefix."""

import pytest

from tests.common.toy_server import ToyServer


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Proto": "https,http"},
        {"X-Forwarded-Proto": "https, http", "X-Forwarded-Port": "443,80"},
        {"X-Forwarded-Proto": "wss", "X-Forwarded-Host": "a, b"},
        {"X-Forwarded-For": "unknown", "X-Forwarded-Proto": ""},
        {"X-Forwarded-For": "1.2.3.4:5678, [2001:db8::1]:443", "X-Forwarded-By": "_x"},
        {"Forwarded": 'for="[2001:db8::1]:443";proto=https, for=unknown'},
    ],
)
def test_forwarded_headers_reach_the_application_as_they_are(
    server: ToyServer, headers: dict[str, str]
):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    response = server.send(f"GET /echo HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
    assert response.status == 200
    assert response.json["wsgi.url_scheme"] == "http"
    for name, value in headers.items():
        assert response.json[f"HTTP_{name.upper().replace('-', '_')}"] == value


def test_several_forwarded_headers_are_one_list(server: ToyServer):
    lines = b"X-Forwarded-For: 1.2.3.4:5\r\nX-Other: x\r\nX-Forwarded-For: [2001:db8::1]:6\r\n"
    response = server.send(b"GET /echo HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n")
    assert response.json["HTTP_X_FORWARDED_FOR"] == "1.2.3.4:5, [2001:db8::1]:6"


def test_waitress_receives_bodies_below_its_url_prefix():
    server = ToyServer("waitress", "url_prefix=/api")
    try:
        for path in ("/api/large-body", "/large-body"):
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer valid\r\n"
            response = server.send(f"{head}Content-Length: 20000\r\n\r\n".encode() + b"x" * 20000)
            assert response.body == b"20000"
        assert server.send(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n").body == b"health"
    finally:
        server.close()
