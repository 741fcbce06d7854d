"""Cognito's errors, and what the API answers.

botocore's Stubber gives the answers that moto does not, and checks both sides against AWS's own
service model.
"""

from typing import Any

import pytest
from botocore.stub import Stubber

from jobtracker.auth.cognito import UserPool
from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.api import Api
from tests.common.cognito import CLIENT_ID, NETWORK_ERRORS, SECRET_TEXT, SESSION, secret_hash

EMAIL = "ada@example.com"

REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "sign_up": (
        "POST",
        "/auth/cognito/signup",
        {"email": EMAIL, "password": "x", "name": "Ada", "turnstile_token": DUMMY_TOKEN},
    ),
    "confirm_sign_up": ("POST", "/auth/cognito/confirm", {"email": EMAIL, "code": "123456"}),
    "resend_confirmation_code": ("POST", "/auth/cognito/verification/send", {"email": EMAIL}),
    "forgot_password": ("POST", "/auth/cognito/forgot-password", {"email": EMAIL}),
    "confirm_forgot_password": (
        "POST",
        "/auth/cognito/reset-password",
        {"email": EMAIL, "code": "123456", "new_password": "x"},
    ),
    "initiate_auth": ("POST", "/auth/cognito/login", {"email": EMAIL, "password": "x"}),
    "respond_to_auth_challenge": (
        "POST",
        "/auth/cognito/challenge",
        {
            "email": EMAIL,
            "session": SESSION,
            "challenge_name": "SOFTWARE_TOKEN_MFA",
            "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"},
        },
    ),
    "associate_software_token": ("POST", "/auth/cognito/mfa/setup", {"session": SESSION}),
    "verify_software_token": (
        "POST",
        "/auth/cognito/mfa/verify",
        {"email": EMAIL, "session": SESSION, "code": "123456"},
    ),
    "change_password": (
        "POST",
        "/users/me/change-password",
        {"current_password": "x", "new_password": "y"},
    ),
}


@pytest.mark.parametrize(
    ("operation", "name", "status", "details"),
    [
        ("sign_up", "UsernameExistsException", 409, None),
        ("sign_up", "InvalidParameterException", 400, None),
        ("sign_up", "NotAuthorizedException", 401, None),
        ("sign_up", "TooManyRequestsException", 429, None),
        ("sign_up", "LimitExceededException", 429, None),
        ("sign_up", "CodeDeliveryFailureException", 503, None),
        ("sign_up", "InternalErrorException", 503, None),
        ("sign_up", "UserLambdaValidationException", 503, None),
        ("confirm_sign_up", "TooManyFailedAttemptsException", 429, None),
        ("confirm_sign_up", "InternalErrorException", 503, None),
        ("resend_confirmation_code", "TooManyRequestsException", 429, None),
        ("resend_confirmation_code", "InternalErrorException", 503, None),
        ("forgot_password", "TooManyRequestsException", 429, None),
        ("forgot_password", "ResourceNotFoundException", 503, None),
        ("forgot_password", "InternalErrorException", 503, None),
        ("confirm_forgot_password", "TooManyRequestsException", 429, None),
        ("confirm_forgot_password", "LimitExceededException", 429, None),
        ("confirm_forgot_password", "TooManyFailedAttemptsException", 429, None),
        ("confirm_forgot_password", "ResourceNotFoundException", 503, None),
        ("confirm_forgot_password", "InternalErrorException", 503, None),
        ("initiate_auth", "NotAuthorizedException", 401, None),
        ("initiate_auth", "UserNotFoundException", 401, None),
        (
            "initiate_auth",
            "UserNotConfirmedException",
            403,
            {"code": "EMAIL_NOT_VERIFIED", "email": EMAIL},
        ),
        (
            "initiate_auth",
            "PasswordResetRequiredException",
            403,
            {"code": "PASSWORD_RESET_REQUIRED"},
        ),
        ("initiate_auth", "InvalidParameterException", 503, None),
        ("initiate_auth", "ResourceNotFoundException", 503, None),
        ("initiate_auth", "TooManyRequestsException", 429, None),
        ("initiate_auth", "ForbiddenException", 503, None),
        ("respond_to_auth_challenge", "CodeMismatchException", 400, {"code": "CODE_MISMATCH"}),
        ("respond_to_auth_challenge", "ExpiredCodeException", 400, {"code": "EXPIRED_CODE"}),
        ("respond_to_auth_challenge", "NotAuthorizedException", 401, None),
        ("respond_to_auth_challenge", "InvalidParameterException", 400, None),
        (
            "respond_to_auth_challenge",
            "UserNotConfirmedException",
            403,
            {"code": "EMAIL_NOT_VERIFIED", "email": EMAIL},
        ),
        ("change_password", "UserNotConfirmedException", 403, {"code": "EMAIL_NOT_VERIFIED"}),
        ("associate_software_token", "NotAuthorizedException", 401, None),
        ("associate_software_token", "ResourceNotFoundException", 401, None),
        (
            "verify_software_token",
            "EnableSoftwareTokenMFAException",
            400,
            {"code": "CODE_MISMATCH"},
        ),
        (
            "verify_software_token",
            "UserNotConfirmedException",
            403,
            {"code": "EMAIL_NOT_VERIFIED", "email": EMAIL},
        ),
        ("verify_software_token", "NotAuthorizedException", 401, None),
        ("change_password", "LimitExceededException", 429, None),
        ("change_password", "InternalErrorException", 503, None),
    ],
)
def test_cognito_error_answers_its_status_and_code(
    ada: Api, cognito: Stubber, operation: str, name: str, status: int, details: dict | None
):
    cognito.add_client_error(operation, name, SECRET_TEXT)
    error = ada.refused(status, *REQUESTS[operation])
    assert error.get("details") == details
    assert SECRET_TEXT not in str(error)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Incorrect username or password.", 400),
        ("Access Token has been revoked", 401),
        ("Access Token has expired", 401),
        ("Invalid Access Token", 401),
    ],
)
def test_wrong_password_and_revoked_token_answer_differently(
    ada: Api, cognito: Stubber, text: str, status: int
):
    cognito.add_client_error("change_password", "NotAuthorizedException", text)
    ada.refused(status, *REQUESTS["change_password"])


@pytest.mark.parametrize(
    ("text", "violations"),
    [
        ("Password did not conform with policy: Password not long enough", ["min_length"]),
        (
            "Password did not conform with policy: Password must have symbol characters; new",
            ["special_char", "new"],
        ),
        ("Password did not conform with policy: a; b", ["a", "b"]),
        ("Something new", ["Choose another password"]),
    ],
)
def test_weak_password_answers_its_violations(
    ada: Api, cognito: Stubber, text: str, violations: list[str]
):
    cognito.add_client_error("sign_up", "InvalidPasswordException", text)
    error = ada.refused(400, *REQUESTS["sign_up"])
    assert error["details"] == {"code": "WEAK_PASSWORD", "violations": violations}


def test_reset_with_a_weak_password_answers_its_violations(ada: Api, cognito: Stubber):
    for name in ("InvalidPasswordException", "PasswordHistoryPolicyViolationException"):
        text = "Password did not conform with policy: Password not long enough"
        cognito.add_client_error("confirm_forgot_password", name, text)
        error = ada.refused(400, *REQUESTS["confirm_forgot_password"])
        assert error["details"] == {"code": "WEAK_PASSWORD", "violations": ["min_length"]}


def test_sign_up_of_an_account_without_confirmation_answers_ok(ada: Api, cognito: Stubber):
    cognito.add_response(
        "sign_up",
        {"UserConfirmed": True, "UserSub": "x"},
        {
            "ClientId": CLIENT_ID,
            "SecretHash": secret_hash(EMAIL),
            "Username": EMAIL,
            "Password": "x",
            "UserAttributes": [{"Name": "email", "Value": EMAIL}, {"Name": "name", "Value": "Ada"}],
        },
    )
    assert ada.call(*REQUESTS["sign_up"], status=200).json["status"] == "OK"


@pytest.mark.parametrize(
    ("challenge", "next_step"),
    [
        ("MFA_SETUP", "MFA_SETUP"),
        ("SOFTWARE_TOKEN_MFA", "SOFTWARE_TOKEN_MFA"),
        ("NEW_PASSWORD_REQUIRED", "NEW_PASSWORD_REQUIRED"),
        ("CUSTOM_CHALLENGE", "CUSTOM_CHALLENGE"),
        ("SMS_MFA", "UNKNOWN"),
        ("SELECT_MFA_TYPE", "UNKNOWN"),
    ],
)
def test_challenge_answers_its_next_step(
    ada: Api, cognito: Stubber, challenge: str, next_step: str
):
    cognito.add_response("initiate_auth", {"ChallengeName": challenge, "Session": SESSION})
    answer = ada.call(*REQUESTS["initiate_auth"], status=200).json
    assert answer == {
        "status": "CHALLENGE",
        "message": answer["message"],
        "next_step": next_step,
        "challenge_name": challenge,
        "session": SESSION,
        "tokens": None,
    }


def test_session_of_each_response_is_used_in_the_next_call(ada: Api, cognito: Stubber):
    second, third = SESSION + "-2", SESSION + "-3"
    cognito.add_response(
        "associate_software_token",
        {"SecretCode": "JBSWY3DPEHPK3PXP", "Session": second},
        {"Session": SESSION},
    )
    setup = ada.call(*REQUESTS["associate_software_token"], status=200).json
    assert setup["session"] == second
    cognito.add_response(
        "verify_software_token",
        {"Status": "SUCCESS", "Session": third},
        {"Session": second, "UserCode": "123456"},
    )
    cognito.add_response(
        "respond_to_auth_challenge",
        {"ChallengeName": "SELECT_CHALLENGE", "Session": SESSION},
        {
            "ClientId": CLIENT_ID,
            "ChallengeName": "MFA_SETUP",
            "Session": third,
            "ChallengeResponses": {
                "USERNAME": EMAIL,
                "SECRET_HASH": secret_hash(EMAIL),
                "ANSWER": "SUCCESS",
            },
        },
    )
    ada.post("/auth/cognito/mfa/verify", {"email": EMAIL, "session": second, "code": "123456"})


def test_rejected_totp_code_answers_code_mismatch(ada: Api, cognito: Stubber):
    cognito.add_response("verify_software_token", {"Status": "ERROR", "Session": SESSION})
    error = ada.refused(400, *REQUESTS["verify_software_token"])
    assert error["details"] == {"code": "CODE_MISMATCH"}


@pytest.mark.parametrize(
    "name", ["InternalErrorException", "TooManyRequestsException", "NotAuthorizedException"]
)
def test_failed_sign_out_after_a_change_of_password_answers_503(
    ada: Api, cognito: Stubber, name: str
):
    cognito.add_response("change_password", {})
    cognito.add_client_error("global_sign_out", name)
    error = ada.refused(503, *REQUESTS["change_password"])
    assert "was changed" in error["message"]


@pytest.mark.parametrize("error", NETWORK_ERRORS)
@pytest.mark.parametrize(("operation", "request_"), REQUESTS.items())
def test_network_error_of_cognito_answers_503(
    ada: Api,
    cognito_client: UserPool,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    request_: Any,
    error: Exception,
):
    def fail(**_parameters: Any) -> None:
        raise error

    monkeypatch.setattr(cognito_client.client, operation, fail)
    ada.refused(503, *request_)


def test_sign_out_succeeds_when_revocation_fails(
    ada: Api, cognito_client: UserPool, cognito: Stubber
):
    cognito.add_client_error("revoke_token", "InternalErrorException")
    ada.post("/auth/cognito/logout", {"refresh_token": "x"}, status=200)
