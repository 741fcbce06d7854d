"""Cognito: the user pool, the app client and its secret."""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError

from jobtracker.auth.clock import CognitoClock
from jobtracker.auth.cognito import UserPool
from jobtracker.auth.cognito_configuration import ADMIN_HINTS, HINTS, misconfiguration
from jobtracker.auth.jwks import JWKSCache
from jobtracker.auth.tokens import AccessTokens
from jobtracker.aws import Timeouts, error_code, error_message, make_client, with_hint
from jobtracker.commands.checks import Result, clocks, error, ok, setting_in, warning
from jobtracker.errors import ApiError, RateLimited, Unavailable

POOL = "cognito.user_pool_id"
CLIENT = "cognito.client_id"
REGION = "cognito.region"
SECRET = "cognito.client_secret"  # noqa: S105 (the name of a setting)


def check(settings: Mapping[str, Any]) -> Iterator[Result]:
    options = {
        "region": settings[REGION],
        "endpoint_url": settings["cognito.endpoint_url"],
        "timeouts": Timeouts.from_settings(settings),
    }
    tokens = AccessTokens(settings[POOL], client_id=settings[CLIENT], **options)
    yield _user_pool(tokens.keys)
    if settings[SECRET] is None:
        yield warning("Cognito: secret", SECRET, "is empty: the app client must have none")
    clock = CognitoClock()
    user_pool = UserPool(settings[CLIENT], settings[SECRET], clock=clock, **options)
    yield _app_client(user_pool)
    credentials = {
        "aws_access_key_id": settings["cognito.access_key_id"],
        "aws_secret_access_key": settings["cognito.secret_access_key"],
    }
    client = make_client("cognito-idp", **options, **credentials)
    yield _pool_of_app_client(client, settings[POOL], settings[CLIENT])
    yield _deletion(client, settings[POOL])
    yield clocks.compare("Cognito", REGION, clocks.ahead_of(clock))


def _user_pool(keys: JWKSCache) -> Result:
    """The user pool has a JWKS, which anyone can read."""
    subject = "Cognito: user pool"
    try:
        status, document = keys.http.request("GET", keys.url)
    except json.JSONDecodeError:
        hint = f"{POOL}, {REGION} or cognito.endpoint_url is wrong"
        return error(subject, POOL, f"the response is not that of a user pool: {hint}")
    except (requests.RequestException, ValueError) as problem:
        hint = "or cognito.endpoint_url, if this persists"
        return error(subject, REGION, f"{type(problem).__name__}: {REGION} {hint}")
    if status == 200 and isinstance(document, dict) and document.get("keys"):
        return ok(subject, POOL)
    return error(subject, POOL, f"there is no such user pool in {REGION} (HTTP status {status})")


def _pool_of_app_client(client: Any, pool_id: str, client_id: str) -> Result:
    """The app client is one of the user pool; without the permission for it this is not known."""
    subject = "Cognito: app client of the pool"
    try:
        client.describe_user_pool_client(UserPoolId=pool_id, ClientId=client_id)
    except (ClientError, BotoCoreError) as problem:
        if error_code(problem) == "ResourceNotFoundException":
            return error(subject, POOL, f"does not exist, or has no app client {CLIENT}")
        return ok(subject, POOL, "not checked: needs cognito-idp:DescribeUserPoolClient")
    return ok(subject, POOL)


def _deletion(client: Any, pool_id: str) -> Result:
    """The deletion of an account that does not exist: its permission is looked at first."""
    subject = "Cognito: deletion of accounts"
    try:
        client.admin_delete_user(UserPoolId=pool_id, Username=f"check-{uuid.uuid4().hex}")
    except (ClientError, BotoCoreError) as problem:
        code = error_code(problem)
        if code in ("AccessDeniedException", "ResourceNotFoundException"):
            return error(subject, POOL, with_hint(code, ADMIN_HINTS))
        if code != "UserNotFoundException":
            return warning(subject, POOL, with_hint(code, ADMIN_HINTS))
    return ok(subject, POOL)


def _app_client(user_pool: UserPool) -> Result:
    """A sign-in of no account: Cognito looks at the app client and its secret first."""
    subject = "Cognito: app client and secret"
    password = f"Aa1!{uuid.uuid4().hex}"
    try:
        user_pool.sign_in(f"check-{uuid.uuid4().hex}@example.invalid", password)
    except RateLimited:
        return warning(subject, CLIENT, "Cognito throttles: not checked")
    except Unavailable as problem:
        cause = problem.__cause__
        if cause is None:
            hint = "or cognito.endpoint_url is wrong"
            return error(subject, REGION, f"the response is not that of Cognito: {REGION} {hint}")
        detail = misconfiguration(error_message(cause)) or with_hint(error_code(cause), HINTS)
        return error(subject, setting_in(detail, "cognito", CLIENT), detail)
    except ApiError:
        return ok(subject, CLIENT, "accepted")
    return error(subject, CLIENT, "accepts an account that does not exist")
