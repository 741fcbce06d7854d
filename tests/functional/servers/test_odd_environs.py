"""The whole application, called with what the servers let through: never a 500."""

from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from tests.common.api import Api

NOT_ASCII = "z\xc3\xbcrich \xff"


def status_of(api: Api, environ: dict[str, Any]) -> int:
    given = {**api.app.extra_environ, "QUERY_STRING": "", **environ}
    if api.token:
        given.setdefault("HTTP_AUTHORIZATION", f"Bearer {api.token}")
    setup_testing_defaults(given)
    statuses: list[str] = []
    body = api.app.app(given, lambda status, _headers, _error=None: statuses.append(status))
    list(body)
    return int(statuses[0][:3])


@pytest.mark.parametrize(
    "path", ["*", "443", "jobs", "//jobs", "/..", "/jobs/\0", "/\xff", "/\xc3\xbc"]
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT", "get", "X" * 500])
def test_an_odd_path_is_a_client_error(anonymous: Api, path: str, method: str):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    assert 400 <= status_of(anonymous, environ) < 500


def test_an_empty_path_is_the_root(anonymous: Api):
    """RFC 9110, 4.2.3; of an application that is mounted below SCRIPT_NAME."""
    assert status_of(anonymous, {"PATH_INFO": ""}) == 200
    assert status_of(anonymous, {"PATH_INFO": "", "REQUEST_METHOD": "POST"}) == 405


@pytest.mark.parametrize("query", ["q=z\xc3\xbcrich", "q=\xff", "q=%FF", "%", "\0", "?", "&&="])
@pytest.mark.parametrize("path", ["/jobs", "/jobs/search"])
def test_an_odd_query_is_answered(ada: Api, path: str, query: str):
    assert status_of(ada, {"PATH_INFO": path, "QUERY_STRING": query}) in (200, 400, 422)


@pytest.mark.parametrize(
    "header",
    [
        *("AUTHORIZATION", "COOKIE", "HOST", "IF_MATCH", "IF_NONE_MATCH", "ORIGIN"),
        *("ACCEPT", "X_REQUEST_ID", "X_FORWARDED_FOR", "X_FORWARDED_PROTO", "IDEMPOTENCY_KEY"),
        "ACCESS_CONTROL_REQUEST_METHOD",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_header_that_is_not_ascii_is_answered(ada: Api, method: str, header: str):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/jobs", f"HTTP_{header}": NOT_ASCII}
    assert status_of(ada, environ) < 500
