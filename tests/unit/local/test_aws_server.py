"""The guard of MiniStack: which requests reach its ASGI application."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.credentials import Credentials

from jobtracker.local.aws import AccessKey
from jobtracker.local.aws_server import TOKEN_HEADER, GuardedAws, with_token
from jobtracker.local.guard import Guard
from tests.common.aws_requests import (
    HOST,
    cognito_headers,
    presign,
    signed_call_headers,
    signed_headers,
)

KEY = AccessKey.generate()
TOKEN = "token"
SPA = "http://localhost:3000"


class Emulator:
    """An ASGI application behind the guard, which counts its calls."""

    def __init__(self) -> None:
        guard = Guard(origins=frozenset({SPA}))
        self.app = GuardedAws(self._respond, guard, Credentials(KEY.id, KEY.secret), TOKEN)
        self.calls = 0
        #: Of the requests.
        self.body = b""

    async def _respond(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.calls += 1
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})

    def messages(self, scope: dict[str, Any]) -> list[dict[str, Any]]:
        """The messages that are sent for a scope."""

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": self.body, "more_body": False}

        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return sent

    def status(self, method: str, url: str, *pairs: tuple[str, str], **headers: str) -> int:
        """The status of the response.

        :param pairs: headers beside Host
        """
        parts = urlsplit(url)
        all_pairs = [*({"host": HOST, **headers}).items(), *pairs]
        scope = {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": url.partition("?")[2].encode(),
            "headers": [(name.encode(), value.encode()) for name, value in all_pairs],
        }
        return self.messages(scope)[0]["status"]


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


def test_public_operation_of_cognito_is_accepted(emulator: Emulator):
    for operation in ("SignUp", "InitiateAuth", "RevokeToken", "GetUser", "GlobalSignOut"):
        assert emulator.status("POST", "/", **cognito_headers(operation)) == 200
    assert emulator.status("POST", "/", origin=SPA, **cognito_headers("SignUp")) == 200
    assert emulator.status("GET", "/us-east-1_A1b2/.well-known/jwks.json") == 200


@pytest.mark.parametrize(
    "operation", ["AdminCreateUser", "CreateUserPool", "ListUsers", "UpdateUserPoolClient", "", "x"]
)
def test_operation_of_cognito_that_needs_credentials_is_refused(emulator: Emulator, operation: str):
    assert emulator.status("POST", "/", **cognito_headers(operation)) == 403


def test_public_operation_of_cognito_is_refused_elsewhere(emulator: Emulator):
    headers = cognito_headers("SignUp")
    for url in ("/_ministack/reset", "/?Action=CreateStack", "/bucket/key", "//"):
        assert emulator.status("POST", url, **headers) == 403
    assert emulator.status("GET", "/", **headers) == 403
    lambda_target = ("x-amz-target", "AWSLambda.Invoke")
    assert emulator.status("POST", "/", lambda_target, **headers) == 403


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/"),
        ("POST", "/"),
        ("POST", "/?Action=ListUsers"),
        ("GET", "/2015-03-31/functions/"),
        ("GET", "/health"),
        ("GET", "/_localstack/health"),
        ("POST", "/_ministack/reset"),
        ("OPTIONS", "/_ministack/reset"),
        ("GET", "/oauth2/authorize"),
        ("GET", "/bucket/key"),
        ("GET", "/bucket"),
        ("POST", "/us-east-1_A1b2/.well-known/jwks.json"),
    ],
)
def test_unsigned_request_is_refused(emulator: Emulator, method: str, url: str):
    assert emulator.status(method, url) == 403
    assert emulator.status(method, url, origin=SPA) == 403


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"host": "evil.example"}])
def test_foreign_host_and_origin_are_refused(emulator: Emulator, headers: dict[str, str]):
    jwks = "/us-east-1_A1b2/.well-known/jwks.json"
    assert emulator.status("GET", jwks, **headers) == 403
    assert emulator.status("OPTIONS", "/bucket/key", **{"origin": SPA, **headers}) == 403
    assert emulator.status("PUT", presign(KEY, "put_object"), **headers) == 403
    assert emulator.status("POST", "/", **cognito_headers("SignUp"), **headers) == 403


def test_repeated_header_is_refused(emulator: Emulator):
    jwks = "/us-east-1_A1b2/.well-known/jwks.json"
    assert emulator.status("GET", jwks, ("host", "evil.example")) == 403
    assert emulator.status("GET", jwks, ("origin", "http://evil.example"), origin=SPA) == 403


def test_presigned_url_and_its_preflight_are_accepted(emulator: Emulator):
    for operation, method in (("put_object", "PUT"), ("get_object", "GET")):
        url = presign(KEY, operation)
        assert emulator.status(method, url) == 200
        assert emulator.status(method, url, origin=SPA) == 200
        assert emulator.status("OPTIONS", url, origin=SPA) == 200


def test_altered_presigned_url_is_refused(emulator: Emulator):
    url = presign(KEY, "put_object")
    for altered in (
        url.replace("/bucket/", "/other-bucket/"),
        url + "&tagging",
        url + "#&tagging",
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000"),
        url.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
        url.replace("%2Fs3%2F", "%2Flambda%2F"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
    ):
        assert altered != url
        assert emulator.status("PUT", altered) == 403
    assert emulator.status("GET", url) == 403
    assert emulator.status("PUT", url, host="localhost:6544") == 403


def test_signature_of_another_key_is_refused(emulator: Emulator):
    for other in (AccessKey("test", "test"), KEY._replace(secret="x"), KEY._replace(id="x")):
        assert emulator.status("PUT", presign(other, "put_object")) == 403
        assert emulator.status("GET", "/bucket", **signed_headers(other, "GET", "/bucket")) == 403


def test_unsigned_header_of_aws_is_refused(emulator: Emulator):
    url = presign(KEY, "put_object")
    for name in ("x-amz-tagging", "x-amz-copy-source", "x-amz-target", "x-amz-acl"):
        assert emulator.status("PUT", url, (name, "x")) == 403


@pytest.mark.parametrize("name", ["AdminDeleteUser", "AdminDisableUser", "AdminEnableUser"])
def test_operation_that_the_server_signs_is_accepted_with_its_body_alone(
    emulator: Emulator, name: str
):
    operation, emulator.body = cognito_headers(name), b'{"Username": "x"}'
    headers = signed_call_headers(KEY, operation, emulator.body)
    others = {**headers, **cognito_headers("AdminGetUser")}
    stranger = signed_call_headers(KEY._replace(secret="x"), operation, emulator.body)
    assert emulator.status("POST", "/", **headers) == 200
    for each in (operation, others, stranger):
        assert emulator.status("POST", "/", **each) == 403
    for body in (b'{"Username": "y"}', emulator.body * 2000):
        emulator.body = body
        assert emulator.status("POST", "/", **headers) == 403


def test_signed_request_to_s3_is_accepted(emulator: Emulator):
    for method, url in (
        ("GET", "/bucket?list-type=2&prefix=incoming%2F"),
        ("POST", "/bucket?delete"),
        ("PUT", "/bucket/documents/a%20b?tagging"),
        ("DELETE", "/bucket/key"),
    ):
        assert emulator.status(method, url, **signed_headers(KEY, method, url)) == 200
        assert emulator.status(method, f"{url}x", **signed_headers(KEY, method, url)) == 403


def test_signed_request_to_another_service_or_to_a_bucket_itself_is_refused(emulator: Emulator):
    functions = "/2015-03-31/functions/"
    headers = signed_headers(KEY, "GET", functions, service="lambda")
    assert emulator.status("GET", functions, **headers) == 403
    for method, url in (("PUT", "/bucket"), ("PUT", "/bucket/?policy"), ("DELETE", "/bucket")):
        assert emulator.status(method, url, **signed_headers(KEY, method, url)) == 403
    assert emulator.status("GET", "/", **signed_headers(KEY, "GET", "/")) == 403
    reset = "/_ministack/reset"
    assert emulator.status("POST", reset, **signed_headers(KEY, "POST", reset)) == 403


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer x", "AWS x:y", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 \u00e9"],
)
def test_malformed_authorization_is_refused(emulator: Emulator, authorization: str):
    assert emulator.status("GET", "/bucket", authorization=authorization) == 403
    presigned = presign(KEY, "get_object")
    assert emulator.status("GET", presigned, authorization=authorization or "x") == 403


def test_token_opens_all_operations_but_ministacks_own(emulator: Emulator):
    token = {TOKEN_HEADER: TOKEN}
    assert emulator.status("POST", "/", **token) == 200
    assert emulator.status("PUT", "/bucket", **token) == 200
    assert emulator.status("POST", "/_ministack/reset", **token) == 403
    assert emulator.status("POST", "/", origin="http://evil.example", **token) == 403
    assert emulator.status("POST", "/", **{TOKEN_HEADER: "wrong"}) == 403


def test_lifespan_passes_and_web_sockets_are_closed(emulator: Emulator):
    assert emulator.messages({"type": "lifespan"}) == []
    assert emulator.calls == 1
    assert emulator.messages({"type": "websocket"}) == [{"type": "websocket.close"}]
    assert emulator.calls == 1


def test_handler_of_cloudformation_needs_the_token():
    async def handler(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        return 200, {}, body

    guarded = with_token(handler, TOKEN)
    assert asyncio.run(guarded("POST", "/", {TOKEN_HEADER: TOKEN}, b"x")) == (200, {}, b"x")
    assert asyncio.run(guarded("POST", "/", {}, b"x"))[0] == 403
