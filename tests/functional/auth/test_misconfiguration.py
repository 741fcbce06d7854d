"""Mistakes of the operator: 503, and an error in the log that names the setting."""

import logging
from typing import Any

import jwt
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, SSLError
from botocore.stub import Stubber
from sqlalchemy import text
from sqlalchemy.orm import Session

from jobtracker.auth.cognito import UserPool
from jobtracker.auth.tokens import AccessTokens
from jobtracker.auth.turnstile import Turnstile
from jobtracker.local.turnstile import DUMMY_TOKEN
from jobtracker.logs import outages
from tests.common.api import Api
from tests.common.cognito import SECRET_TEXT, SESSION
from tests.common.user_pool import PASSWORD, MotoUserPool

AUTH = "/auth/cognito"
EMAIL = "ada@example.com"
REQUESTS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "sign_up": (
        f"{AUTH}/signup",
        {"email": EMAIL, "password": "x", "name": "Ada", "turnstile_token": DUMMY_TOKEN},
    ),
    "confirm_sign_up": (f"{AUTH}/confirm", {"email": EMAIL, "code": "123456"}),
    "resend_confirmation_code": (f"{AUTH}/verification/send", {"email": EMAIL}),
    "forgot_password": (f"{AUTH}/forgot-password", {"email": EMAIL}),
    "initiate_auth": (f"{AUTH}/login", {"email": EMAIL, "password": "x"}),
    "respond_to_auth_challenge": (
        f"{AUTH}/challenge",
        {"email": EMAIL, "session": SESSION, "challenge_name": "X", "responses": {}},
    ),
    "get_tokens_from_refresh_token": (f"{AUTH}/refresh", {"refresh_token": "x"}),
    "associate_software_token": (f"{AUTH}/mfa/setup", {"session": SESSION}),
    "verify_software_token": ("/users/me/mfa/confirm", {"code": "123456"}),
}
NO_CLIENT = "User pool client abc123 does not exist."
NO_FLOW = "USER_PASSWORD_AUTH flow not enabled for this client"
CLOSED = "SignUp is not permitted for this user pool"
NO_TOTP = "Software Token MFA has not been enabled by the userPool"
NO_SECRET = "Client abc123 is configured with secret but SECRET_HASH was not received"
DENIED = "User: anonymous is not authorized to perform: cognito-idp:InitiateAuth"
UNWRITABLE = "A client attempted to write unauthorized attribute"
ALIAS = "Username cannot be of email format, since user pool is configured for email alias."
PHONE = "Username should be a phone number."
ADMIN_ONLY = "Contact administrator to reset password."
EMAIL_LIMIT = (
    "Exceeded daily email limit for the operation or the account. If a higher limit is required, "
    "please configure your user pool to use your own Amazon SES configuration for sending email."
)
REQUIRED = (
    "Attributes did not conform to the schema: phone_number: The attribute phone_number is required"
)


@pytest.mark.parametrize(
    ("operation", "name", "message", "setting"),
    [
        ("sign_up", "NotAuthorizedException", CLOSED, "cognito.user_pool_id"),
        ("sign_up", "NotAuthorizedException", UNWRITABLE, "cognito.client_id"),
        ("sign_up", "InvalidParameterException", REQUIRED, "cognito.user_pool_id"),
        ("sign_up", "InvalidParameterException", ALIAS, "UsernameAttributes"),
        ("sign_up", "InvalidParameterException", PHONE, "UsernameAttributes"),
        ("initiate_auth", "InvalidParameterException", ALIAS, "UsernameAttributes"),
        ("sign_up", "ResourceNotFoundException", NO_CLIENT, "cognito.client_id"),
        ("sign_up", "NotAuthorizedException", NO_SECRET, "cognito.client_secret"),
        ("sign_up", "CodeDeliveryFailureException", SECRET_TEXT, "cognito.user_pool_id"),
        ("sign_up", "LimitExceededException", EMAIL_LIMIT, "EmailConfiguration"),
        ("sign_up", "InvalidSmsRoleAccessPolicyException", SECRET_TEXT, "SmsConfiguration"),
        ("sign_up", "UserLambdaValidationException", SECRET_TEXT, "LambdaConfig"),
        ("confirm_sign_up", "ResourceNotFoundException", NO_CLIENT, "cognito.region"),
        ("confirm_sign_up", "NotAuthorizedException", NO_SECRET, "cognito.client_secret"),
        ("forgot_password", "ResourceNotFoundException", NO_CLIENT, "cognito.client_id"),
        ("forgot_password", "NotAuthorizedException", NO_SECRET, "cognito.client_secret"),
        ("initiate_auth", "InvalidParameterException", NO_FLOW, "cognito.client_id"),
        ("initiate_auth", "ResourceNotFoundException", NO_CLIENT, "cognito.region"),
        ("initiate_auth", "NotAuthorizedException", DENIED, "cognito.endpoint_url"),
        ("initiate_auth", "AccessDeniedException", SECRET_TEXT, "cognito.endpoint_url"),
        ("initiate_auth", "ForbiddenException", SECRET_TEXT, "AWS WAF"),
        ("initiate_auth", "InvalidUserPoolConfigurationException", SECRET_TEXT, "user_pool_id"),
        ("respond_to_auth_challenge", "ResourceNotFoundException", NO_CLIENT, "cognito.client_id"),
        ("respond_to_auth_challenge", "NotAuthorizedException", NO_SECRET, "client_secret"),
        ("get_tokens_from_refresh_token", "InvalidParameterException", NO_FLOW, "client_id"),
        ("get_tokens_from_refresh_token", "ResourceNotFoundException", NO_CLIENT, "client_id"),
        ("associate_software_token", "SoftwareTokenMFANotFoundException", NO_TOTP, "user_pool_id"),
        ("verify_software_token", "SoftwareTokenMFANotFoundException", NO_TOTP, "user_pool_id"),
    ],
)
def test_error_of_the_configuration_answers_503_and_is_logged_by_the_setting(
    ada: Api,
    cognito: Stubber,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    name: str,
    message: str,
    setting: str,
):
    cognito.add_client_error(operation, name, message)
    path, body = REQUESTS[operation]
    error = ada.refused(503, "POST", path, body)
    assert error["message"].startswith("The service is not available")
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(logged) == 1
    assert logged[0].getMessage().startswith(f"Cognito {operation}: ")
    assert setting in logged[0].getMessage()
    assert "abc123" not in caplog.text
    assert SECRET_TEXT not in caplog.text


def test_input_in_a_message_of_cognito_is_not_taken_for_the_configuration(
    ada: Api, cognito: Stubber, caplog: pytest.LogCaptureFixture
):
    message = f"1 validation error detected: Value '{NO_SECRET} {CLOSED}' at 'session' failed"
    cognito.add_client_error("respond_to_auth_challenge", "InvalidParameterException", message)
    path, body = REQUESTS["respond_to_auth_challenge"]
    ada.refused(400, "POST", path, body)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://cognito-idp.eu-nowhere-1.amazonaws.com"),
        SSLError(endpoint_url="https://cognito", error="certificate verify failed"),
    ],
)
def test_unreachable_region_is_logged_by_the_setting(
    ada: Api,
    cognito_client: UserPool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
):
    def fail(**_parameters: Any) -> None:
        raise error

    monkeypatch.setattr(cognito_client.client, "initiate_auth", fail)
    path, body = REQUESTS["initiate_auth"]
    ada.refused(503, "POST", path, body)
    assert "cognito.region or cognito.endpoint_url" in caplog.text


def test_app_client_without_token_revocation_is_logged_and_sign_out_succeeds(
    ada: Api, cognito: Stubber, caplog: pytest.LogCaptureFixture
):
    cognito.add_client_error("get_tokens_from_refresh_token", "NotAuthorizedException")
    message = "Token revocation is not enabled for this client"
    cognito.add_client_error("revoke_token", "UnsupportedOperationException", message)
    ada.post(f"{AUTH}/logout", {"refresh_token": "x"}, status=200)
    assert "cognito.client_id does not have EnableTokenRevocation" in caplog.text


def test_undeliverable_codes_are_logged_with_the_same_answer(
    ada: Api, cognito: Stubber, caplog: pytest.LogCaptureFixture
):
    for name, setting in (
        ("CodeDeliveryFailureException", "EmailConfiguration"),
        ("InvalidEmailRoleAccessPolicyException", "EmailConfiguration"),
        ("InvalidSmsRoleTrustRelationshipException", "SmsConfiguration"),
    ):
        caplog.clear()
        cognito.add_client_error("forgot_password", name, SECRET_TEXT)
        ada.post(f"{AUTH}/forgot-password", {"email": EMAIL}, status=200)
        (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
        assert name in record.getMessage()
        assert setting in record.getMessage()


@pytest.mark.parametrize(
    ("operation", "name", "message", "setting"),
    [
        ("forgot_password", "NotAuthorizedException", ADMIN_ONLY, "AccountRecoverySetting"),
        ("forgot_password", "LimitExceededException", EMAIL_LIMIT, "EmailConfiguration"),
        ("resend_confirmation_code", "LimitExceededException", EMAIL_LIMIT, "EmailConfiguration"),
        (
            *("resend_confirmation_code", "NotAuthorizedException"),
            *("Auto verification not turned on.", "AutoVerifiedAttributes"),
        ),
    ],
)
def test_user_pool_that_sends_no_codes_is_logged_with_the_same_answer(
    ada: Api,
    cognito: Stubber,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    name: str,
    message: str,
    setting: str,
):
    cognito.add_client_error(operation, name, message)
    path, body = REQUESTS[operation]
    ada.post(path, body, status=200)
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert setting in record.getMessage()


def test_real_app_client_with_another_secret_or_id_answers_503(
    anonymous: Api,
    app: Any,
    user_pool: MotoUserPool,
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    user_pool.user(EMAIL, "Ada")
    endpoint: dict[str, Any] = {
        "region": settings["cognito.region"],
        "endpoint_url": settings["cognito.endpoint_url"],
    }
    for secret in (None, "another-secret"):
        outages.forget()
        monkeypatch.setitem(
            app.registry, "cognito", UserPool(user_pool.client_id, secret, **endpoint)
        )
        login = {"email": EMAIL, "password": PASSWORD}
        anonymous.refused(503, "POST", f"{AUTH}/login", login)
        assert "cognito.client_secret is not that of the client" in caplog.messages[-1]
        assert "another-secret" not in caplog.text


class TestUserPoolId:
    def test_unknown_user_pool_is_logged_by_the_setting(
        self,
        ada: Api,
        app: Any,
        settings: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ):
        wrong = AccessTokens(
            "us-east-1_Nowhere",
            settings["cognito.region"],
            settings["cognito.client_id"],
            settings["cognito.endpoint_url"] + "/nothing-here",
        )
        monkeypatch.setitem(app.registry, "access_tokens", wrong)
        ada.refused(503, "GET", "/users/me")
        (record,) = (each for each in caplog.records if each.name == "jobtracker.auth.jwks")
        assert "cognito.user_pool_id" in record.getMessage()

    @pytest.mark.parametrize("claim", ["iss", "client_id"])
    def test_sign_in_with_tokens_of_another_user_pool_or_client_answers_503(
        self,
        ada: Api,
        cognito: Stubber,
        user_pool: MotoUserPool,
        db: Session,
        caplog: pytest.LogCaptureFixture,
        claim: str,
    ):
        """Otherwise each sign-in would succeed, and each request after it be 401."""
        id_token = jwt.encode({"sub": "other", "email": "other@example.com"}, "x" * 32)
        tokens = {
            "AccessToken": user_pool.token(**{claim: "another"}),
            "IdToken": id_token,
            "RefreshToken": "r",
        }
        for operation in ("initiate_auth", "respond_to_auth_challenge"):
            cognito.add_response(operation, {"AuthenticationResult": tokens})
            path, body = REQUESTS[operation]
            ada.refused(503, "POST", path, body)
            assert "cognito.user_pool_id" in caplog.messages[-1]
        assert db.scalar(text("SELECT count(*) FROM users WHERE cognito_sub = 'other'")) == 0


@pytest.mark.parametrize(
    ("codes", "setting"),
    [
        (["invalid-input-secret"], "turnstile.secret"),
        (["missing-input-secret"], "turnstile.secret"),
        (["invalid-input-secret", "invalid-input-response"], "turnstile.secret"),
        (["internal-error"], "internal-error"),
    ],
)
def test_error_of_turnstile_that_is_not_of_the_visitor_answers_503(
    anonymous: Api,
    app: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    codes: list[str],
    setting: str,
):
    wrong = Turnstile("https://turnstile.example/siteverify", "the-secret")
    answer = (200, {"success": False, "error-codes": codes})
    monkeypatch.setattr(wrong.http, "request", lambda *_arguments: answer)
    monkeypatch.setitem(app.registry, "turnstile", wrong)
    path, body = REQUESTS["sign_up"]
    error = anonymous.refused(503, "POST", path, body)
    assert "details" not in error
    assert setting in caplog.messages[-1]
    assert "the-secret" not in caplog.text


def test_missing_credentials_are_no_wrong_password(
    ada: Api, cognito_client: UserPool, monkeypatch: pytest.MonkeyPatch
):
    def fail(**_parameters: Any) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(cognito_client.client, "initiate_auth", fail)
    path, body = REQUESTS["initiate_auth"]
    ada.refused(503, "POST", path, body)
