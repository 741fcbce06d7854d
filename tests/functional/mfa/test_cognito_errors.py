"""Cognito's errors at the endpoints of MFA."""

from typing import Any

import pytest
from botocore.stub import Stubber

from jobtracker.auth.cognito import UserPool
from tests.common.api import Api
from tests.common.cognito import (
    CLIENT_ID,
    CLIENT_SECRET,
    NETWORK_ERRORS,
    SECRET_TEXT,
    SESSION,
    secret_hash,
)

REQUESTS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "get_user": ("GET", "/users/me/mfa", None),
    "associate_software_token": ("POST", "/users/me/mfa", None),
    "verify_software_token": ("POST", "/users/me/mfa/confirm", {"code": "123456"}),
}
SWITCH_OFF = ("DELETE", "/users/me/mfa", {"password": "x"})
USER = {
    "Username": "some-uuid",
    "UserAttributes": [
        {"Name": "sub", "Value": "some-uuid"},
        {"Name": "email", "Value": "Now@example.com"},
    ],
}
TOKENS = {"AccessToken": "a", "IdToken": "i", "RefreshToken": "r", "ExpiresIn": 3600}


def expect_user(cognito: Stubber, ada: Api) -> None:
    cognito.add_response("get_user", USER, {"AccessToken": ada.token})


def expect_password(cognito: Stubber, answer: dict[str, Any]) -> None:
    # The address that Cognito knows, not our copy of it.
    email = "now@example.com"
    credentials = {"USERNAME": email, "PASSWORD": "x", "SECRET_HASH": secret_hash(email)}
    cognito.add_response(
        "initiate_auth",
        answer,
        {"ClientId": CLIENT_ID, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": credentials},
    )


def expect_switch(cognito: Stubber, ada: Api, on: bool) -> None:
    settings = {"Enabled": on, "PreferredMfa": on}
    cognito.add_response(
        "set_user_mfa_preference",
        {},
        {"AccessToken": ada.token, "SoftwareTokenMfaSettings": settings},
    )


@pytest.mark.parametrize(
    ("operation", "name", "status", "details"),
    [
        ("get_user", "NotAuthorizedException", 401, None),
        ("get_user", "UserNotFoundException", 401, None),
        ("get_user", "UserNotConfirmedException", 403, {"code": "EMAIL_NOT_VERIFIED"}),
        ("get_user", "TooManyRequestsException", 429, None),
        ("get_user", "InternalErrorException", 503, None),
        ("associate_software_token", "NotAuthorizedException", 401, None),
        ("associate_software_token", "InvalidParameterException", 400, None),
        ("associate_software_token", "SoftwareTokenMFANotFoundException", 503, None),
        ("associate_software_token", "ConcurrentModificationException", 503, None),
        ("verify_software_token", "CodeMismatchException", 400, {"code": "CODE_MISMATCH"}),
        (
            "verify_software_token",
            "EnableSoftwareTokenMFAException",
            400,
            {"code": "CODE_MISMATCH"},
        ),
        ("verify_software_token", "ExpiredCodeException", 400, {"code": "EXPIRED_CODE"}),
        ("verify_software_token", "SoftwareTokenMFANotFoundException", 409, None),
        ("verify_software_token", "NotAuthorizedException", 401, None),
        ("verify_software_token", "TooManyRequestsException", 429, None),
        ("verify_software_token", "InternalErrorException", 503, None),
    ],
)
def test_cognito_error_answers_its_status_and_code(
    ada: Api, cognito: Stubber, operation: str, name: str, status: int, details: dict | None
):
    if operation == "associate_software_token":
        expect_user(cognito, ada)
    cognito.add_client_error(operation, name, SECRET_TEXT)
    error = ada.refused(status, *REQUESTS[operation])
    assert error.get("details") == details
    assert SECRET_TEXT not in str(error)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ({}, {"enabled": False, "methods": []}),
        (
            {"UserMFASettingList": ["EMAIL_OTP", "SOFTWARE_TOKEN_MFA"]},
            {"enabled": True, "methods": ["EMAIL_OTP", "SOFTWARE_TOKEN_MFA"]},
        ),
    ],
)
def test_get_mfa_answers_the_enabled_methods(
    ada: Api, cognito: Stubber, listed: dict, expected: dict
):
    cognito.add_response("get_user", {**USER, **listed}, {"AccessToken": ada.token})
    assert ada.get("/users/me/mfa", status=200).json == expected


def test_accepted_totp_code_enables_mfa(ada: Api, cognito: Stubber):
    cognito.add_response(
        "verify_software_token",
        {"Status": "SUCCESS"},
        {"AccessToken": ada.token, "UserCode": "123456", "FriendlyDeviceName": "Phone"},
    )
    expect_switch(cognito, ada, on=True)
    body = {"code": "123456", "friendly_name": "Phone"}
    answer = ada.post("/users/me/mfa/confirm", body, status=200).json
    assert answer == {"enabled": True, "methods": ["SOFTWARE_TOKEN_MFA"]}


def test_rejected_totp_code_does_not_enable_mfa(ada: Api, cognito: Stubber):
    cognito.add_response("verify_software_token", {"Status": "ERROR"})
    error = ada.refused(400, *REQUESTS["verify_software_token"])
    assert error["details"] == {"code": "CODE_MISMATCH"}


def test_password_that_leads_to_a_challenge_disables_mfa(ada: Api, cognito: Stubber):
    expect_user(cognito, ada)
    challenge = {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": SESSION}
    expect_password(cognito, challenge)
    expect_switch(cognito, ada, on=False)
    answer = ada.call(*SWITCH_OFF, status=200).json
    assert answer == {"enabled": False, "methods": []}


def test_password_that_leads_to_tokens_disables_mfa_and_revokes_them(ada: Api, cognito: Stubber):
    expect_user(cognito, ada)
    expect_password(cognito, {"AuthenticationResult": TOKENS})
    revocation = {"ClientId": CLIENT_ID, "ClientSecret": CLIENT_SECRET, "Token": "r"}
    cognito.add_response("revoke_token", {}, revocation)
    expect_switch(cognito, ada, on=False)
    ada.call(*SWITCH_OFF, status=200)


def test_failed_revocation_of_tokens_is_logged_and_mfa_disabled(
    ada: Api, cognito: Stubber, caplog: pytest.LogCaptureFixture
):
    expect_user(cognito, ada)
    expect_password(cognito, {"AuthenticationResult": TOKENS})
    cognito.add_client_error("revoke_token", "InternalErrorException")
    expect_switch(cognito, ada, on=False)
    ada.call(*SWITCH_OFF, status=200)
    assert "not revoked" in caplog.text


@pytest.mark.parametrize(
    ("name", "text", "status", "details"),
    [
        ("NotAuthorizedException", SECRET_TEXT, 400, {"code": "WRONG_PASSWORD"}),
        ("UserNotFoundException", SECRET_TEXT, 400, {"code": "WRONG_PASSWORD"}),
        ("NotAuthorizedException", "Password attempts exceeded", 429, None),
        ("UserNotConfirmedException", SECRET_TEXT, 403, {"code": "EMAIL_NOT_VERIFIED"}),
        ("InvalidParameterException", SECRET_TEXT, 503, None),
        ("TooManyRequestsException", SECRET_TEXT, 429, None),
    ],
)
def test_error_of_the_password_check_does_not_disable_mfa(
    ada: Api, cognito: Stubber, name: str, text: str, status: int, details: dict | None
):
    expect_user(cognito, ada)
    cognito.add_client_error("initiate_auth", name, text)
    if status == 400:
        expect_user(cognito, ada)
    error = ada.refused(status, *SWITCH_OFF)
    assert error.get("details") == details
    assert text not in str(error)


def test_account_that_ends_during_the_password_check_answers_401(ada: Api, cognito: Stubber):
    expect_user(cognito, ada)
    cognito.add_client_error("initiate_auth", "NotAuthorizedException", SECRET_TEXT)
    cognito.add_client_error("get_user", "UserNotFoundException", SECRET_TEXT)
    ada.refused(401, *SWITCH_OFF)


@pytest.mark.parametrize("fault", ["InternalErrorException", "TooManyRequestsException"])
def test_wrong_password_is_one_also_where_cognito_fails_next(
    ada: Api, cognito: Stubber, fault: str
):
    expect_user(cognito, ada)
    cognito.add_client_error("initiate_auth", "NotAuthorizedException", SECRET_TEXT)
    cognito.add_client_error("get_user", fault, SECRET_TEXT)
    assert ada.refused(400, *SWITCH_OFF)["details"] == {"code": "WRONG_PASSWORD"}


def test_revoked_token_answers_401_before_the_password_is_checked(ada: Api, cognito: Stubber):
    cognito.add_client_error("get_user", "NotAuthorizedException", SECRET_TEXT)
    ada.refused(401, *SWITCH_OFF)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("InvalidParameterException", 409),
        ("NotAuthorizedException", 401),
        ("InternalErrorException", 503),
    ],
)
def test_error_of_disabling_mfa_answers_its_status(
    ada: Api, cognito: Stubber, name: str, status: int
):
    expect_user(cognito, ada)
    challenge = {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": SESSION}
    expect_password(cognito, challenge)
    cognito.add_client_error("set_user_mfa_preference", name, SECRET_TEXT)
    error = ada.refused(status, *SWITCH_OFF)
    assert ("required" in error["message"]) == (status == 409)


def test_second_factor_is_replaced_with_the_password_only(ada: Api, cognito: Stubber):
    enrolled = {**USER, "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"]}
    cognito.add_response("get_user", enrolled)
    error = ada.refused(403, "POST", "/users/me/mfa", {"label": "Phone"})
    assert error["details"] == {"code": "PASSWORD_REQUIRED"}

    cognito.add_response("get_user", enrolled)
    cognito.add_client_error("initiate_auth", "NotAuthorizedException", SECRET_TEXT)
    cognito.add_response("get_user", enrolled)
    error = ada.refused(400, "POST", "/users/me/mfa", {"password": "wrong"})
    assert error["details"] == {"code": "WRONG_PASSWORD"}

    cognito.add_response("get_user", enrolled)
    expect_password(cognito, {"ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": SESSION})
    secret = {"SecretCode": "JBSWY3DPEHPK3PXP"}
    cognito.add_response("associate_software_token", secret, {"AccessToken": ada.token})
    answer = ada.post("/users/me/mfa", {"password": "x"}, status=200).json
    assert answer["secret_code"] == "JBSWY3DPEHPK3PXP"


def test_password_given_for_the_first_factor_is_checked(ada: Api, cognito: Stubber):
    expect_user(cognito, ada)
    cognito.add_client_error("initiate_auth", "NotAuthorizedException", SECRET_TEXT)
    expect_user(cognito, ada)
    ada.refused(400, "POST", "/users/me/mfa", {"password": "wrong"})


def test_many_reads_of_mfa_make_one_call(ada: Api, cognito: Stubber):
    cognito.add_response("get_user", USER)
    for _ in range(5):
        assert ada.get("/users/me/mfa").json["enabled"] is False


def test_change_of_mfa_is_seen_by_all_processes_at_once(
    ada: Api, cognito: Stubber, app: Any, monkeypatch: pytest.MonkeyPatch
):
    cognito.add_response("get_user", USER)
    assert ada.get("/users/me/mfa").json["enabled"] is False
    changing = UserPool(CLIENT_ID, CLIENT_SECRET, region="us-east-1", endpoint_url=None)
    with monkeypatch.context() as other_process, Stubber(changing.client) as stubber:
        other_process.setitem(app.registry, "cognito", changing)
        stubber.add_response("verify_software_token", {"Status": "SUCCESS"})
        expect_switch(stubber, ada, on=True)
        ada.post("/users/me/mfa/confirm", {"code": "123456"})
    cognito.add_response("get_user", {**USER, "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"]})
    assert ada.get("/users/me/mfa").json["enabled"] is True


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
