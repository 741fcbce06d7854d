"""Attempts at a challenge, counted by the account and by the session that they are made for."""

from typing import Any

import pytest
from botocore.stub import Stubber

from tests.common.api import Api
from tests.common.cognito import SECRET_TEXT, SESSION, secret_hash

CHALLENGE = "/auth/cognito/challenge"
VICTIM = "ada@example.com"


def guess(email: str, session: str = SESSION, **responses: str) -> dict[str, Any]:
    return {
        "email": email,
        "session": session,
        "challenge_name": "SOFTWARE_TOKEN_MFA",
        "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456", **responses},
    }


def test_guesses_about_another_account_are_rejected_without_asking_cognito(
    ada: Api, cognito: Stubber
):
    for number in range(40):
        wrong = guess(f"stranger{number}@example.com", USERNAME=VICTIM)
        assert ada.field_errors("POST", CHALLENGE, wrong) == {"responses": "username_mismatch"}


@pytest.mark.parametrize(
    "username",
    ["", " ", "some-uuid", "another@example.com", f"{VICTIM}\u200b", "ad\u0430@example.com"],
)
def test_username_other_than_the_address_answers_422(ada: Api, cognito: Stubber, username: str):
    fault = ada.field_errors("POST", CHALLENGE, guess(VICTIM, USERNAME=username))
    assert fault == {"responses": "username_mismatch"}


@pytest.mark.parametrize("responses", [{}, {"USERNAME": VICTIM}, {"USERNAME": " ADA@Example.com "}])
def test_cognito_is_asked_about_the_address(ada: Api, cognito: Stubber, responses: dict[str, str]):
    cognito.add_response(
        "respond_to_auth_challenge",
        {"ChallengeName": "SMS_MFA", "Session": SESSION},
        {
            "ClientId": "client",
            "ChallengeName": "SOFTWARE_TOKEN_MFA",
            "Session": SESSION,
            "ChallengeResponses": {
                "USERNAME": VICTIM,
                "SECRET_HASH": secret_hash(VICTIM),
                "SOFTWARE_TOKEN_MFA_CODE": "123456",
            },
        },
    )
    forged = {"SECRET_HASH": "of-the-client"}
    ada.post(CHALLENGE, guess(" Ada@EXAMPLE.com", **responses, **forged), status=200)


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("challenge", "respond_to_auth_challenge"),
        ("mfa/verify", "verify_software_token"),
        ("mfa/setup", "associate_software_token"),
    ],
)
def test_attempts_with_one_session_are_limited_whatever_the_address(
    ada: Api, cognito: Stubber, path: str, operation: str
):
    def attempt(number: int, session: str = SESSION) -> dict[str, Any]:
        if path == "challenge":
            return guess(f"stranger{number}@example.com", session)
        if path == "mfa/setup":
            return {"session": session}
        return {"email": f"stranger{number}@example.com", "session": session, "code": "123456"}

    for number in range(10):
        cognito.add_client_error(operation, "CodeMismatchException", SECRET_TEXT)
        ada.refused(400, "POST", f"/auth/cognito/{path}", attempt(number))
    ada.refused(429, "POST", f"/auth/cognito/{path}", attempt(10))
    cognito.add_client_error(operation, "NotAuthorizedException", SECRET_TEXT)
    ada.refused(401, "POST", f"/auth/cognito/{path}", attempt(11, "another-" + SESSION))


def test_reads_of_mfa_are_limited(ada: Api, cognito: Stubber):
    user = {"Username": "x", "UserAttributes": [{"Name": "sub", "Value": "x"}]}
    cognito.add_response("get_user", user)
    for _ in range(60):
        ada.get("/users/me/mfa")
    ada.refused(429, "GET", "/users/me/mfa")
