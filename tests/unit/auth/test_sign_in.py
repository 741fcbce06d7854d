"""Cognito's responses, of whose members the service model of AWS requires hardly any."""

from typing import Any

import jwt
import pytest
from botocore.stub import Stubber

from jobtracker.auth.cognito import UserPool
from jobtracker.auth.sign_in import MIN_TOKEN_VALIDITY, Account, Profile, SignIn
from jobtracker.errors import ApiError, BadRequest, Unavailable

TOKENS = {"AccessToken": "a", "IdToken": "i", "RefreshToken": "r", "ExpiresIn": 900}
SESSION = "a-session-of-cognito-that-is-long-enough"


@pytest.fixture
def user_pool() -> UserPool:
    return UserPool("client", "secret", region="us-east-1", endpoint_url=None)


def without(member: str) -> dict[str, Any]:
    return {"AuthenticationResult": {k: v for k, v in TOKENS.items() if k != member}}


def test_response_without_expires_in_has_the_shortest_validity():
    tokens = SignIn.from_response(without("ExpiresIn")).tokens
    assert tokens is not None
    assert tokens.expires_in == MIN_TOKEN_VALIDITY


@pytest.mark.parametrize(("current", "expected"), [("current", "current"), ("", "")])
def test_response_without_a_refresh_token_has_the_current_one(current: str, expected: str):
    tokens = SignIn.from_response(without("RefreshToken"), current).tokens
    assert tokens is not None
    assert tokens.refresh_token == expected


@pytest.mark.parametrize(
    "response", [{}, {"Session": SESSION}, without("AccessToken"), without("IdToken")]
)
def test_response_without_a_result_is_unavailable(response: dict[str, Any]):
    with pytest.raises(Unavailable):
        SignIn.from_response(response)


@pytest.mark.parametrize("id_token", ["i", "", "a.b.c", jwt.encode({"email": "x"}, "k" * 32)])
def test_malformed_id_token_is_unavailable(id_token: str):
    with pytest.raises(Unavailable):
        Profile.from_id_token(id_token)


@pytest.mark.parametrize(
    "response", [{}, {"UserAttributes": []}, {"UserAttributes": [{"Name": "email"}]}]
)
def test_account_without_a_sub_is_unavailable(response: dict[str, Any]):
    with pytest.raises(Unavailable):
        Account.from_response(response)


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("sign_up", None),
        ("associate_totp_in_sign_in", Unavailable),
        ("verify_totp_in_sign_in", BadRequest),
        ("get_user", Unavailable),
    ],
)
def test_empty_response_is_an_api_error(
    user_pool: UserPool,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    error: type[ApiError] | None,
):
    arguments = {
        "sign_up": ("ada@example.com", "x", "Ada"),
        "associate_totp_in_sign_in": (SESSION,),
        "verify_totp_in_sign_in": ("ada@example.com", SESSION, "123456"),
        "get_user": ("token",),
    }[operation]
    monkeypatch.setattr(user_pool, "_call", lambda *_args, **_options: {})
    if error is None:
        assert getattr(user_pool, operation)(*arguments) is False
    else:
        with pytest.raises(error):
            getattr(user_pool, operation)(*arguments)


@pytest.mark.parametrize("is_listed", [True, False])
def test_totp_set_up_in_a_sign_in_is_listed_as_enabled(
    user_pool: UserPool, caplog: pytest.LogCaptureFixture, is_listed: bool
):
    with Stubber(user_pool.client) as cognito:
        verified = {"Status": "SUCCESS", "Session": SESSION}
        cognito.add_response("verify_software_token", verified)
        cognito.add_response("respond_to_auth_challenge", {"AuthenticationResult": TOKENS})
        if is_listed:
            totp = {"SoftwareTokenMfaSettings": {"Enabled": True, "PreferredMfa": True}}
            expected = {"AccessToken": "a", **totp}
            cognito.add_response("set_user_mfa_preference", {}, expected)
        else:
            cognito.add_client_error("set_user_mfa_preference", "InternalErrorException")
        assert user_pool.verify_totp_in_sign_in("ada@example.com", SESSION, "123456").tokens
        cognito.assert_no_pending_responses()
    assert ("not listed as enabled" in caplog.text) != is_listed


@pytest.mark.parametrize(
    ("name", "expected"), [("Zoe\u0308\u202e", "Zo\u00eb"), ("\u3164", None), ("\u202e", None)]
)
def test_name_of_an_account_is_normalized(name: str, expected: str | None):
    attributes = {"sub": "s", "email": "ada@example.com", "name": name}
    assert Profile.from_attributes(attributes).name == expected
