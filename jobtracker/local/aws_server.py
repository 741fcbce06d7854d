"""The process of MiniStack: its ASGI application, reduced to S3 and to what is used of Cognito.

MiniStack itself emulates all of AWS, executes Lambda functions, accepts requests of all origins,
and does not verify signatures of its configured access key.
"""

import hmac
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import botocore.session
from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from jobtracker.local.guard import Guard

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
Handler = Callable[..., Coroutine[Any, Any, Any]]

# With the token, by which the supervisor deploys the template, all operations are accepted.
SERVICES = ("cognito-idp", "s3", "cloudformation")
STATEFUL_MODULES = ("cloudformation", "cognito", "s3")
TOKEN_HEADER = "x-jobtracker-token"  # noqa: S105 (its name)
TOKEN_VARIABLE = "JOBTRACKER_TOKEN"  # noqa: S105 (its name)

COGNITO_TARGET = "AWSCognitoIdentityProviderService."
#: Of the operations of Cognito that the server signs.
ADMIN_TARGETS = frozenset(
    COGNITO_TARGET + name for name in ("AdminDeleteUser", "AdminDisableUser", "AdminEnableUser")
)
MAX_ADMIN_BODY_BYTES = 16 * 1024
JWKS_PATH = re.compile(r"/[\w-]+/\.well-known/jwks\.json")
BUCKET_PATH = re.compile(r"/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/(?P<key>.*))?", re.DOTALL)
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^ ,]+), ?SignedHeaders=([^ ,]+), ?Signature=([^ ,]+)"
)


class Request(NamedTuple):
    """The head of a request."""

    method: str
    path: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    #: Received of the operations that are signed with their body alone.
    body: bytes = b""


class GuardedAws:
    """An ASGI application that passes on what a client of Cognito and S3 needs, and refuses the
    rest with 403."""

    def __init__(self, app: Application, guard: Guard, key: Credentials, token: str) -> None:
        self.app, self.guard, self.key, self.token = app, guard, key, token
        self.cognito_targets = public_cognito_targets()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        body = b""
        if scope["type"] == "http" and is_admin_call(scope):
            body = await received(receive)
            receive = replaying(body, receive)
        if scope["type"] == "http" and (reason := self.reason_to_refuse(scope, body)) is not None:
            error = f"<Error><Code>AccessDenied</Code><Message>{reason}</Message></Error>"
            body = f"<ErrorResponse>{error}</ErrorResponse>".encode()
            headers = [(b"content-type", b"application/xml"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            is_head = scope["method"] == "HEAD"
            await send({"type": "http.response.body", "body": b"" if is_head else body})
        else:
            await self.app(scope, receive, send)

    def reason_to_refuse(self, scope: dict[str, Any], body: bytes) -> str | None:
        """Return a message if the request is refused."""
        pairs = [(name.decode("latin-1").lower(), value) for name, value in scope["headers"]]
        headers = {name: value.decode("latin-1") for name, value in pairs}
        if len(headers) < len(pairs):
            return "A header of this request is repeated."
        if reason := self.guard.reason_to_refuse(headers.get("host", ""), headers.get("origin")):
            return reason
        raw_path, query = scope["raw_path"].decode("latin-1"), scope["query_string"]
        request = Request(
            scope["method"], scope["path"], raw_path, query.decode("latin-1"), headers, body
        )
        if self.is_accepted(request):
            return None
        return "Only Cognito's public operations and signed requests are accepted."

    def is_accepted(self, request: Request) -> bool:
        """Return whether a request is one of Cognito's public operations or a signed one."""
        method, path, _raw_path, query, headers, _body = request
        if path.startswith("/_"):  # of MiniStack itself
            return False
        if hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self.token.encode()):
            return True
        if method == "OPTIONS" and "origin" in headers:
            return path == "/" or BUCKET_PATH.fullmatch(path) is not None
        if target := headers.get("x-amz-target"):
            is_call = (method, path, query) == ("POST", "/", "")
            if is_call and target in ADMIN_TARGETS:
                return is_signed(request, self.key, "cognito-idp", SigV4Auth)
            return is_call and target in self.cognito_targets
        if method == "GET" and JWKS_PATH.fullmatch(path):
            return True
        bucket = BUCKET_PATH.fullmatch(path)
        # Buckets are made and configured by the template.
        if bucket is None or (method in ("PUT", "DELETE") and not bucket["key"]):
            return False
        return is_signed(request, self.key)


def public_cognito_targets() -> frozenset[str]:
    """Return the values of X-Amz-Target of all operations that need no AWS credentials."""
    model = botocore.session.get_session().get_service_model("cognito-idp")
    operations = [model.operation_model(name) for name in model.operation_names]
    return frozenset(COGNITO_TARGET + each.name for each in operations if each.auth_type == "none")


def is_admin_call(scope: dict[str, Any]) -> bool:
    targets = [value for name, value in scope["headers"] if name.lower() == b"x-amz-target"]
    return any(target.decode("latin-1") in ADMIN_TARGETS for target in targets)


async def received(receive: Any) -> bytes:
    """The body of a request, cut beyond MAX_ADMIN_BODY_BYTES: its signature is not valid then."""
    body, more = b"", True
    while more and len(body) <= MAX_ADMIN_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body[:MAX_ADMIN_BODY_BYTES]


def replaying(body: bytes, receive: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A ``receive`` that returns a body that was received before."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> dict[str, Any]:
        return messages.pop() if messages else await receive()

    return replay


def is_signed(
    request: Request,
    key: Credentials,
    service_name: str = "s3",
    signer_class: type[SigV4Auth] = S3SigV4QueryAuth,
) -> bool:
    """Return whether a request has a valid Signature Version 4, in Authorization or, of a presigned
    URL, in the query; its expiry is not checked.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    method, _path, raw_path, query, headers, body = request
    if "#" in raw_path + query:  # after which botocore ignores the rest
        return False
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if authorization := headers.get("authorization"):
        match = AUTHORIZATION.fullmatch(authorization)
        if match is None or "X-Amz-Signature" in parameters:
            return False
        credential, signed_headers, signature = match.groups()
        date = headers.get("x-amz-date", "")
    else:
        if parameters.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
            return False
        names = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date")
        credential, signed_headers, signature, date = (parameters.get(name, "") for name in names)
    key_id, _day, region, *service = [*credential.split("/"), "", ""][:5]
    signed = set(signed_headers.split(";"))
    # S3 requires this of all headers that have a meaning to it.
    unsigned = {name for name in headers if name.startswith("x-amz-")} - signed
    if (key_id, service) != (key.access_key, [service_name, "aws4_request"]) or unsigned:
        return False
    if "host" not in signed or not signed <= headers.keys():
        return False
    others = [each for each in query.split("&") if not each.startswith("X-Amz-Signature=")]
    url = f"http://{headers['host']}{raw_path}?{'&'.join(others)}"
    signer = signer_class(key, service_name, region)
    signed_ones = {name: headers[name] for name in signed}
    rebuilt = AWSRequest(method, url, headers=signed_ones, data=body)
    rebuilt.context["timestamp"] = date
    text = signer.string_to_sign(rebuilt, signer.canonical_request(rebuilt))
    return hmac.compare_digest(signer.signature(text, rebuilt).encode(), signature.encode())


def with_token(handler: Handler, token: str) -> Handler:
    """Return a handler of one of MiniStack's services that refuses requests without the token.

    MiniStack takes the service also from a form in the body, which no signature of S3 covers.
    """

    async def handle(method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        if headers.get(TOKEN_HEADER) != token:
            return 403, {}, b""
        return await handler(method, path, headers, *rest)

    return handle


def saving(app: Application, save: Callable[[], None]) -> Application:
    """An ASGI application that saves its state before it responds to a request that can change it.

    MiniStack itself saves at its end alone: killed, it would forget the accounts whose rows stay.
    """

    async def call(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def save_and_send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                save()
            await send(message)

        is_saved = scope.get("method") in (None, "GET", "HEAD", "OPTIONS") or is_of_object(scope)
        await app(scope, receive, send if is_saved else save_and_send)

    return call


def is_of_object(scope: Mapping[str, Any]) -> bool:
    """Whether a request is one of an object of S3: MiniStack has these on disk at once."""
    path = BUCKET_PATH.fullmatch(scope["path"])
    return path is not None and bool(path["key"])


def save_state() -> None:
    """Save what the emulated services have in memory."""
    from ministack.core.persistence import save_all

    modules = {name: sys.modules.get(f"ministack.services.{name}") for name in STATEFUL_MODULES}
    save_all({name: module.get_state for name, module in modules.items() if module is not None})


def stop_with_parent() -> None:
    """Stop this process when its standard input is closed: MiniStack saves its state then."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main(hosts: list[str], origins: list[str]) -> None:
    """Run MiniStack behind the guard; its settings are in the environment."""
    threading.Thread(target=stop_with_parent, daemon=True).start()
    from ministack import app as ministack  # reads the environment

    token = os.environ.pop(TOKEN_VARIABLE)
    key = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    guard = Guard(frozenset(hosts), frozenset(origins))
    handlers = ministack.SERVICE_HANDLERS
    handlers["cloudformation"] = with_token(handlers["cloudformation"], token)
    ministack.app = GuardedAws(saving(ministack.app, save_state), guard, key, token)
    sys.argv = ["ministack"]
    ministack.main()


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
