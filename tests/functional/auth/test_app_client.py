"""The secret of the app client, in every operation of Cognito that takes it."""

import logging
from typing import Any

import jwt
import pytest
from botocore.stub import Stubber

import jobtracker
from jobtracker.auth.cognito import UserPool
from jobtracker.logs import outages
from tests.common.api import Api
from tests.common.app import dispose_engines
from tests.common.cognito import CLIENT_ID, CLIENT_SECRET, SESSION, secret_hash
from tests.common.user_pool import PASSWORD, MotoUserPool

EMAIL = "ada@example.com"
CODE = {"ConfirmationCode": "123456"}
ATTRIBUTES = [{"Name": "email", "Value": EMAIL}, {"Name": "name", "Value": "Ada"}]
TOKENS = {"AccessToken": "a", "IdToken": "i", "ExpiresIn": 900}
CHALLENGE = {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": SESSION}

# For each operation: its call, its response, and its parameters beside ClientId and the secret.
BY_USERNAME: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    (
        "sign_up",
        lambda pool: pool.sign_up(EMAIL, "x", "Ada"),
        {"UserConfirmed": False, "UserSub": "x"},
        {"Password": "x", "UserAttributes": ATTRIBUTES},
    ),
    ("confirm_sign_up", lambda pool: pool.confirm_sign_up(EMAIL, "123456"), {}, CODE),
    ("resend_confirmation_code", lambda pool: pool.resend_confirmation_code(EMAIL), {}, {}),
    ("forgot_password", lambda pool: pool.forgot_password(EMAIL), {}, {}),
    (
        "confirm_forgot_password",
        lambda pool: pool.reset_password(EMAIL, "123456", "x"),
        {},
        {**CODE, "Password": "x"},
    ),
]
BY_SECRET: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    (
        "get_tokens_from_refresh_token",
        lambda pool: pool.refresh("r"),
        {"AuthenticationResult": TOKENS},
        {"RefreshToken": "r"},
    ),
    ("revoke_token", lambda pool: pool.revoke("r"), {}, {"Token": "r"}),
]


def pool(secret: str | None) -> UserPool:
    return UserPool(CLIENT_ID, secret, region="us-east-1", endpoint_url=None)


@pytest.mark.parametrize("secret", [CLIENT_SECRET, None])
def test_every_call_has_the_secret_of_the_app_client_if_there_is_one(secret: str | None):
    user_pool = pool(secret)

    def with_hash(name: str) -> dict[str, Any]:
        return {name: secret_hash(EMAIL)} if secret else {}

    with Stubber(user_pool.client) as cognito:
        for operation, call, response, parameters in BY_USERNAME:
            expected = {"ClientId": CLIENT_ID, "Username": EMAIL, **with_hash("SecretHash")}
            cognito.add_response(operation, response, {**expected, **parameters})
            call(user_pool)
        for operation, call, response, parameters in BY_SECRET:
            own: dict[str, Any] = {"ClientSecret": secret} if secret else {}
            cognito.add_response(operation, response, {"ClientId": CLIENT_ID, **own, **parameters})
            call(user_pool)
        credentials = {"USERNAME": EMAIL, "PASSWORD": "x", **with_hash("SECRET_HASH")}
        flow = {"AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": credentials}
        cognito.add_response("initiate_auth", CHALLENGE, {"ClientId": CLIENT_ID, **flow})
        user_pool.sign_in(EMAIL, "x")
        answers = {"SOFTWARE_TOKEN_MFA_CODE": "123456", "USERNAME": EMAIL}
        expected = {**CHALLENGE, "ChallengeResponses": {**answers, **with_hash("SECRET_HASH")}}
        tokens = {"AuthenticationResult": TOKENS}
        cognito.add_response(
            "respond_to_auth_challenge", tokens, {"ClientId": CLIENT_ID, **expected}
        )
        given = {"SOFTWARE_TOKEN_MFA_CODE": "123456", "USERNAME": "another@example.com"}
        user_pool.answer_challenge(EMAIL, "SOFTWARE_TOKEN_MFA", SESSION, given)
        cognito.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NotAuthorizedException", "Unable to verify secret hash for client abc"),
        (
            "NotAuthorizedException",
            "Client abc is configured with secret but SECRET_HASH was not received",
        ),
        (
            "InvalidParameterException",
            "App client abc is not configured for secret but secret hash was received",
        ),
    ],
)
def test_wrong_secret_answers_503_and_is_logged_by_the_setting(
    ada: Api, cognito: Stubber, caplog: pytest.LogCaptureFixture, name: str, text: str
):
    requests: dict[str, tuple[str, dict[str, Any]]] = {
        "initiate_auth": ("login", {"email": EMAIL, "password": "x"}),
        "confirm_sign_up": ("confirm", {"email": EMAIL, "code": "123456"}),
        "forgot_password": ("forgot-password", {"email": EMAIL}),
        "get_tokens_from_refresh_token": ("refresh", {"refresh_token": "x"}),
    }
    for operation, (path, body) in requests.items():
        outages.forget()
        cognito.add_client_error(operation, name, text)
        error = ada.refused(503, "POST", f"/auth/cognito/{path}", body)
        assert "secret" not in str(error)
        assert caplog.messages[-1].startswith(f"Cognito {operation}: cognito.client_secret ")
        assert "abc" not in caplog.messages[-1]


def test_app_client_without_a_secret_is_warned_about_at_start(
    settings: dict[str, str], caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        dispose_engines(jobtracker.main({}, **settings))
        assert "cognito.client_secret" not in caplog.text
        dispose_engines(jobtracker.main({}, **{**settings, "cognito.client_secret": ""}))
    assert "cognito.client_secret is not set" in caplog.text


def test_rotated_refresh_token_is_answered(ada: Api, cognito: Stubber):
    profile = {"sub": "ada", "email": "ada@example.com", "name": "Ada"}
    id_token = jwt.encode(profile, "x" * 32)
    tokens = {"AccessToken": ada.token, "IdToken": id_token, "RefreshToken": "second"}
    rotated = {"AuthenticationResult": tokens}
    cognito.add_response("get_tokens_from_refresh_token", rotated)
    body = {"refresh_token": "first"}
    answer = ada.post("/auth/cognito/refresh", body, status=200).json
    assert answer["tokens"]["refresh_token"] == "second"
    cognito.add_client_error("get_tokens_from_refresh_token", "RefreshTokenReuseException")
    ada.refused(401, "POST", "/auth/cognito/refresh", body)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("NotAuthorizedException", 401),
        ("UserNotFoundException", 401),
        ("InvalidParameterException", 401),
        ("TooManyRequestsException", 429),
        ("ResourceNotFoundException", 503),
        ("InternalErrorException", 503),
    ],
)
def test_error_of_a_refresh_answers_its_status(ada: Api, cognito: Stubber, name: str, status: int):
    cognito.add_client_error("get_tokens_from_refresh_token", name)
    ada.refused(status, "POST", "/auth/cognito/refresh", {"refresh_token": "x"})


def test_sign_out_revokes_the_refresh_token_at_cognito(anonymous: Api, user_pool: MotoUserPool):
    user_pool.user("leaving@example.com", "Leaving")
    login = {"email": "leaving@example.com", "password": PASSWORD}
    tokens = anonymous.post("/auth/cognito/login", login).json["tokens"]
    body = {"refresh_token": tokens["refresh_token"]}
    anonymous.post("/auth/cognito/refresh", body, status=200)
    anonymous.post("/auth/cognito/logout", body, status=200)
    anonymous.refused(401, "POST", "/auth/cognito/refresh", body)
