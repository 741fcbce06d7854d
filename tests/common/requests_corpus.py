"""Raw HTTP/1 requests, common and odd, with the status of Granian and of waitress.

200 is an echo of the environ; None a connection that is closed without a response.
"""

from typing import NamedTuple

OK = (200, 200)
BAD = (400, 400)
ONLY_WAITRESS = (400, 200)
ONLY_GRANIAN = (200, 400)

CHUNKED = b"Transfer-Encoding: chunked\r\n"
ABC = b"3\r\nabc\r\n0\r\n\r\n"
WEBSOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


class RawRequest(NamedTuple):
    name: str
    statuses: tuple[int | None, int]
    bytes: bytes


def get(target: bytes = b"/echo", headers: bytes = b"", *, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n"


def post(headers: bytes, body: bytes) -> bytes:
    return get(headers=headers, method=b"POST") + body


def first_line(line: bytes) -> bytes:
    return line + b"\r\nHost: x\r\n\r\n"


TARGETS = [
    ("a query", OK, get(b"/echo?a=1&b=2")),
    ("raw UTF-8 in the path", ONLY_GRANIAN, get("/zürich".encode())),
    ("raw UTF-8 in the query", ONLY_GRANIAN, get("/echo?q=zürich".encode())),
    ("a path that is not UTF-8", BAD, get(b"/\xff")),
    ("a query that is not UTF-8", BAD, get(b"/echo?q=\xff")),
    ("percent-encoded UTF-8 in the path", OK, get(b"/z%C3%BCrich")),
    ("a percent-encoded path that is not UTF-8", OK, get(b"/z%FF")),
    ("a percent-encoded replacement character", OK, get(b"/%EF%BF%BD")),
    ("a percent-encoded slash", OK, get(b"/a%2Fb")),
    ("a percent-encoded slash at the start", ONLY_WAITRESS, get(b"/%2Fb")),
    ("a percent-encoded NUL", OK, get(b"/a%00b")),
    ("incomplete percent-encoding", OK, get(b"/a%zz%")),
    ("percent-encoding in the query", OK, get(b"/echo?q=%FF%00&r=%C3%BC")),
    ("plus signs", OK, get(b"/a+b?c+d")),
    ("semicolons", OK, get(b"/a;b=c;d?e;f")),
    ("characters that should be encoded", ONLY_WAITRESS, get(b'/a"<>[]\\^`{|}')),
    ("NUL in the path", ONLY_WAITRESS, get(b"/a\0b")),
    ("a tab in the path", ONLY_WAITRESS, get(b"/a\tb")),
    ("two slashes at the start", ONLY_WAITRESS, get(b"//echo")),
    ("two slashes inside", OK, get(b"/echo//a")),
    ("the parent of the root", OK, get(b"/..")),
    ("dot segments", OK, get(b"/a/../echo/.")),
    ("an empty query", OK, get(b"/echo?")),
    ("two question marks", OK, get(b"/echo?a?b")),
    ("a fragment", OK, get(b"/echo?a=1#b")),
    ("a fragment with a question mark", OK, get(b"/echo#b?c")),
    ("a target without a slash", ONLY_WAITRESS, get(b"echo")),
    ("a target of a query alone", ONLY_WAITRESS, get(b"?a=1")),
    ("absolute-form", OK, get(b"http://example.com/echo?a=1")),
    ("absolute-form with https", OK, get(b"https://example.com/echo")),
    ("absolute-form without a path", OK, get(b"http://example.com")),
    ("absolute-form with a query alone", OK, get(b"http://example.com?a=1")),
    ("absolute-form with user information", OK, get(b"http://me:secret@example.com/echo")),
    ("absolute-form of another scheme", OK, get(b"ftp://example.com/echo")),
    ("authority-form", ONLY_WAITRESS, get(b"example.com:80")),
]

METHODS = [
    ("HEAD", OK, get(method=b"HEAD")),
    ("OPTIONS", OK, get(method=b"OPTIONS")),
    ("OPTIONS of the server", ONLY_WAITRESS, get(b"*", method=b"OPTIONS")),
    ("GET of the server", ONLY_WAITRESS, get(b"*")),
    ("TRACE", OK, get(method=b"TRACE")),
    ("CONNECT", ONLY_WAITRESS, get(b"example.com:443", method=b"CONNECT")),
    ("CONNECT with a path", ONLY_WAITRESS, get(method=b"CONNECT")),
    ("an unknown method", OK, get(method=b"BREW")),
    ("a method in lower case", ONLY_GRANIAN, get(method=b"get")),
    ("a long method", OK, get(method=b"X" * 500)),
    ("a method with a hyphen", OK, get(method=b"M-SEARCH")),
    ("a method that is no token", BAD, get(method=b"G(T")),
]

VERSIONS = [
    ("HTTP/1.0", OK, b"GET /echo HTTP/1.0\r\n\r\n"),
    ("HTTP/1.0 with Host", OK, first_line(b"GET /echo HTTP/1.0")),
    ("HTTP/1.0 with a body", OK, b"POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
    ("HTTP/1.0 with chunks", ONLY_WAITRESS, b"POST /echo HTTP/1.0\r\n" + CHUNKED + b"\r\n" + ABC),
    ("HTTP/1.2", ONLY_WAITRESS, first_line(b"GET /echo HTTP/1.2")),
    ("HTTP/2.0", ONLY_WAITRESS, first_line(b"GET /echo HTTP/2.0")),
    ("the preface of HTTP/2", (None, 200), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("HTTP/0.9", ONLY_WAITRESS, b"GET /echo\r\n\r\n"),
    ("no version", ONLY_WAITRESS, first_line(b"GET /echo ")),
    ("two spaces", BAD, first_line(b"GET  /echo HTTP/1.1")),
    ("empty lines at the start", OK, b"\r\n\r\n" + get()),
    ("a TLS handshake", BAD, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ("an upgrade to WebSocket", OK, get(headers=WEBSOCKET)),
    ("an upgrade to HTTP/2", OK, get(headers=H2C)),
]

HEADERS = [
    ("UTF-8", OK, "X-Header: zürich".encode()),
    ("bytes that are not UTF-8", OK, b"X-Header: \xff\xfe"),
    ("an Idempotency-Key that is not ASCII", OK, b"Idempotency-Key: \xfc"),
    ("two lines, the second not ASCII", OK, b"X-Header: a\r\nX-Header: \xfc"),
    ("two lines, the first not ASCII", OK, b"X-Header: \xfc\r\nX-Header: a"),
    ("two lines apart", OK, b"X-Header: a\r\nX-Other: x\r\nX-Header: b"),
    ("two X-Forwarded-For", OK, b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2"),
    ("a cookie", OK, b"Cookie: a=1; b=2"),
    ("two cookies", OK, b"Cookie: a=1\r\nCookie: b=2"),
    ("an empty value", OK, b"X-Header:"),
    ("a blank value", OK, b"X-Header:  \t "),
    ("blanks around a value", OK, b"X-Header: \t a \t b  "),
    ("a name with underscores", OK, b"X-Header: hyphen\r\nX_Header: underscore"),
    ("Content_Length", OK, b"Content_Length: 5"),
    ("a name in mixed case", OK, b"x-hEaDeR: a"),
    ("Proxy", OK, b"Proxy: http://example.com"),
    ("Connection: close", OK, b"Connection: close"),
    ("obs-fold", ONLY_WAITRESS, b"X-Header: a\r\n b"),
    ("NUL", BAD, b"X-Header: a\0b"),
    ("a control character", BAD, b"X-Header: a\x01b"),
    ("DEL", BAD, b"X-Header: a\x7fb"),
    ("a bare CR", BAD, b"X-Header: a\rb"),
    ("no name", BAD, b": a"),
    ("no colon", BAD, b"nothing"),
    ("a blank before the colon", BAD, b"X-Header : a"),
    ("a name that is no token", BAD, b"X(Header): a"),
    ("two hosts", BAD, b"Host: y"),
    ("5,000 bytes", ONLY_GRANIAN, b"X-Header: " + b"x" * 5000),
    ("200 lines", (431, 200), b"\r\n".join(b"X-%d: a" % i for i in range(200))),
]

HOSTS = [
    ("no Host", BAD, b"GET /echo HTTP/1.1\r\n\r\n"),
    *(
        (f"{host.decode()!r} as Host", statuses, b"GET /echo HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
        for host, statuses in [
            (b"", BAD),
            (b"api.example.com:443", OK),
            (b"[2001:db8::1]:443", OK),
            (b"a b", BAD),
            (b"a, b", BAD),
            (b"a/b", BAD),
            (b"a?b", BAD),
            (b"me@a", BAD),
            (b"http://a", BAD),
            (b"a:b", BAD),
            (b"a>;", BAD),
        ]
    ),
]

BODIES = [
    ("bytes", OK, post(b"Content-Type: text/plain\r\nContent-Length: 5\r\n", b"he\xff\0o")),
    ("of length 0", OK, post(b"Content-Length: 0\r\n", b"")),
    ("without length", OK, post(b"", b"")),
    ("of a GET", OK, get(headers=b"Content-Length: 3\r\n") + b"abc"),
    ("of a GET, chunked", OK, get(headers=CHUNKED) + ABC),
    ("of a DELETE", OK, get(headers=b"Content-Length: 3\r\n", method=b"DELETE") + b"abc"),
    ("chunked", OK, post(CHUNKED, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")),
    ("chunked, without chunks", OK, post(CHUNKED, b"0\r\n\r\n")),
    ("chunked, with extensions", OK, post(CHUNKED, b"3;a=b\r\nabc\r\n0\r\n\r\n")),
    ("chunked, with trailers", OK, post(CHUNKED, b"3\r\nabc\r\n0\r\nX-Header: a\r\n\r\n")),
    ("Chunked in upper case", OK, post(b"Transfer-Encoding: CHUNKED\r\n", ABC)),
    ("a malformed size of a chunk", BAD, post(CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n")),
    ("a malformed end of a chunk", BAD, post(CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n")),
    ("a length, then chunked", OK, post(b"Content-Length: 2\r\n" + CHUNKED, ABC)),
    ("chunked, then a length", OK, post(CHUNKED + b"Content-Length: 2\r\n", ABC)),
    ("gzip, chunked", BAD, post(b"Transfer-Encoding: gzip, chunked\r\n", ABC)),
    ("chunked, gzip", BAD, post(b"Transfer-Encoding: chunked, gzip\r\n", ABC)),
    ("identity", BAD, post(b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n", b"abc")),
    ("chunked twice", ONLY_WAITRESS, post(b"Transfer-Encoding: chunked, chunked\r\n", ABC)),
    ("chunked in two lines", ONLY_WAITRESS, post(CHUNKED + CHUNKED, ABC)),
    ("two different lengths", BAD, post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd")),
    ("two equal lengths", ONLY_GRANIAN, post(b"Content-Length: 3\r\n" * 2, b"abc")),
    ("a list of lengths", BAD, post(b"Content-Length: 3, 3\r\n", b"abc")),
    ("a signed length", BAD, post(b"Content-Length: +3\r\n", b"abc")),
    ("a negative length", BAD, post(b"Content-Length: -3\r\n", b"abc")),
    ("a length that is no number", BAD, post(b"Content-Length: abc\r\n", b"abc")),
    ("a length beyond 64 bits", (400, 413), post(b"Content-Length: 99999999999999999999\r\n", b"")),
    ("after 100-continue", OK, post(b"Expect: 100-continue\r\nContent-Length: 3\r\n", b"abc")),
    ("an unknown expectation", OK, post(b"Expect: 200-ok\r\nContent-Length: 3\r\n", b"abc")),
]


CORPUS = [
    *(RawRequest(f"target: {name}", statuses, raw) for name, statuses, raw in TARGETS),
    *(RawRequest(f"method: {name}", statuses, raw) for name, statuses, raw in METHODS),
    *(RawRequest(f"version: {name}", statuses, raw) for name, statuses, raw in VERSIONS),
    *(
        RawRequest(f"header: {name}", statuses, get(headers=value + b"\r\n"))
        for name, statuses, value in HEADERS
    ),
    *(RawRequest(f"host: {name}", statuses, raw) for name, statuses, raw in HOSTS),
    *(RawRequest(f"body: {name}", statuses, raw) for name, statuses, raw in BODIES),
]
