"""States of an account at Cognito: each has an answer that says what to do."""

from collections.abc import Callable
from typing import Any

import limits
import pytest
from botocore.stub import Stubber
from webtest import TestApp

from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.api import SAME_REQUEST_ID, Api
from tests.common.cognito import CLIENT_ID, SESSION, secret_hash
from tests.common.user_pool import PASSWORD, MotoUserPool

AUTH = "/auth/cognito"
EMAIL = "ada@example.com"
LOGIN = {"email": EMAIL, "password": PASSWORD}
CHALLENGE = {
    "email": EMAIL,
    "session": SESSION,
    "challenge_name": "SOFTWARE_TOKEN_MFA",
    "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"},
}
CODE = {"email": EMAIL, "code": "123456"}
PASSWORDS = {"current_password": PASSWORD, "new_password": "Hopper-1906-x"}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "initiate_auth": (f"{AUTH}/login", LOGIN),
    "respond_to_auth_challenge": (f"{AUTH}/challenge", CHALLENGE),
    "get_tokens_from_refresh_token": (f"{AUTH}/refresh", {"refresh_token": "x"}),
    "change_password": ("/users/me/change-password", PASSWORDS),
}
RESET = ("PasswordResetRequiredException", "Password reset required for the user")
LOCKED = ("NotAuthorizedException", "Password attempts exceeded")
EXPIRED = "Temporary password has expired and must be reset by an administrator."
CONFIRMED = "User cannot be confirmed. Current status is CONFIRMED"


@pytest.mark.parametrize("operation", REQUESTS)
@pytest.mark.parametrize("error", [RESET, ("NotAuthorizedException", RESET[1])])
def test_password_that_has_to_be_reset_answers_403_and_the_way_out(
    ada: Api, cognito: Stubber, operation: str, error: tuple[str, str]
):
    cognito.add_client_error(operation, *error)
    path, body = REQUESTS[operation]
    answer = ada.refused(403, "POST", path, body)
    assert (answer["error"], answer["details"]["code"]) == ("FORBIDDEN", "PASSWORD_RESET_REQUIRED")
    assert "code by e-mail" in answer["message"]


def test_reset_with_a_code_is_the_way_out(ada: Api, cognito: Stubber):
    cognito.add_client_error("initiate_auth", *RESET)
    ada.refused(403, "POST", f"{AUTH}/login", LOGIN)
    cognito.add_response("forgot_password", {})
    ada.post(f"{AUTH}/forgot-password", {"email": EMAIL}, status=200)
    cognito.add_response("confirm_forgot_password", {})
    cognito.add_response("initiate_auth", {"ChallengeName": "SMS_MFA", "Session": SESSION})
    ada.post(f"{AUTH}/reset-password", {**CODE, "new_password": PASSWORD}, status=200)


@pytest.mark.parametrize("operation", REQUESTS)
@pytest.mark.parametrize("text", ["Password attempts exceeded", "PASSWORD ATTEMPTS EXCEEDED."])
def test_too_many_wrong_passwords_answer_429(ada: Api, cognito: Stubber, operation: str, text: str):
    cognito.add_client_error(operation, "NotAuthorizedException", text)
    path, body = REQUESTS[operation]
    answer = ada.call("POST", path, body, status=429)
    assert int(answer.headers["Retry-After"]) >= 30
    assert "too many wrong passwords" in answer.json["message"]


def test_attempts_during_the_lockout_of_cognito_are_counted(
    ada: Api, cognito: Stubber, app: Any, monkeypatch: pytest.MonkeyPatch
):
    rate = limits.parse_many("2/day")
    monkeypatch.setitem(app.registry.settings, "rate_limits.auth_by_account", rate)
    for _ in range(2):
        cognito.add_client_error("initiate_auth", *LOCKED)
    for _ in range(4):
        ada.refused(429, "POST", f"{AUTH}/login", LOGIN)


@pytest.mark.parametrize(
    "text", [EXPIRED, "User account has expired, it must be reset by an administrator."]
)
def test_expired_temporary_password_answers_403(ada: Api, cognito: Stubber, text: str):
    for operation in ("initiate_auth", "respond_to_auth_challenge"):
        cognito.add_client_error(operation, "NotAuthorizedException", text)
        path, body = REQUESTS[operation]
        answer = ada.refused(403, "POST", path, body)
        assert answer["details"] == {"code": "TEMPORARY_PASSWORD_EXPIRED"}
        assert "new invitation" in answer["message"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NotAuthorizedException", "User is disabled."),
        ("NotAuthorizedException", "Invalid session for the user, session is expired."),
        ("NotAuthorizedException", "Refresh Token has expired"),
        ("UserNotFoundException", "User does not exist."),
    ],
)
def test_other_states_answer_401_with_one_message(ada: Api, cognito: Stubber, name: str, text: str):
    messages = set()
    for operation in ("initiate_auth", "respond_to_auth_challenge"):
        cognito.add_client_error(operation, name, text)
        path, body = REQUESTS[operation]
        messages.add(ada.refused(401, "POST", path, body)["message"])
    assert messages == {
        "These credentials are not valid, or no longer so. Please sign in again, or set a new "
        "password."
    }


class TestConfirmTwice:
    @pytest.fixture
    def at(self, ada: Api) -> Callable[[str], Api]:
        """A client at an address, which is not signed in."""
        return lambda address: Api(TestApp(ada.app.app, extra_environ={"REMOTE_ADDR": address}))

    @pytest.mark.parametrize("path", ["confirm", "verification/confirm"])
    @pytest.mark.parametrize(
        "text", [CONFIRMED, "User cannot confirm because user status is not UNCONFIRMED."]
    )
    def test_second_confirmation_from_the_same_network_succeeds(
        self, at: Callable[[str], Api], cognito: Stubber, path: str, text: str
    ):
        owner, stranger = at("192.0.2.1"), at("198.51.100.1")
        cognito.add_response("confirm_sign_up", {})
        first = owner.post(f"{AUTH}/{path}", CODE, status=200)
        cognito.add_client_error("confirm_sign_up", "NotAuthorizedException", text)
        assert owner.post(f"{AUTH}/{path}", CODE, status=200).json == first.json
        # Strangers do not learn that there is such an account.
        answers = set()
        for name in ("NotAuthorizedException", "CodeMismatchException", "ExpiredCodeException"):
            cognito.add_client_error("confirm_sign_up", name, text)
            answer = stranger.call(
                "POST", f"{AUTH}/{path}", CODE, status=400, headers=SAME_REQUEST_ID
            )
            answers.add((answer.body, str(answer.headers)))
        assert len(answers) == 1
        assert answer.json["details"] == {"code": "CODE_MISMATCH"}
        assert "sign in" in answer.json["message"]

    @pytest.mark.parametrize("status", ["UNCONFIRMED", "RESET_REQUIRED", "FORCE_CHANGE_PASSWORD"])
    def test_account_in_another_state_is_not_called_confirmed(
        self, at: Callable[[str], Api], cognito: Stubber, status: str
    ):
        owner = at("192.0.2.1")
        cognito.add_response("confirm_sign_up", {})
        owner.post(f"{AUTH}/confirm", CODE, status=200)
        text = f"User cannot be confirmed. Current status is {status}"
        cognito.add_client_error("confirm_sign_up", "NotAuthorizedException", text)
        owner.refused(400, "POST", f"{AUTH}/confirm", CODE)


@pytest.mark.parametrize(
    "error",
    [
        None,
        ("InvalidParameterException", "Cannot reset password for the user as there is no "),
        ("NotAuthorizedException", "User password cannot be reset in the current state."),
        ("UserNotFoundException", "User does not exist."),
    ],
)
def test_forgotten_password_of_an_unconfirmed_account_says_what_to_do(
    ada: Api, cognito: Stubber, error: tuple[str, str] | None, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    if error is None:
        cognito.add_response("forgot_password", {})
    else:
        cognito.add_client_error("forgot_password", *error)
    answer = ada.post(f"{AUTH}/forgot-password", {"email": EMAIL}, status=200).json
    assert answer == {
        "status": "OK",
        "message": "If there is an account with this address, we have sent it a code. If you have "
        "not confirmed your address yet, ask for a new confirmation code first.",
    }
    assert "cognito." not in caplog.text.replace("cognito.py", "")  # no setting is wrong


@pytest.mark.parametrize(
    "code",
    [
        "123 456",
        " 123456\n",
        "123\u00a0456",
        "123-456",
        "\uff11\uff12\uff13\uff14\uff15\uff16",
        "\u0661\u0662\u0663\u0664\u0665\u0666",
        "\u200b123\u2011456",
    ],
)
def test_code_is_taken_with_blanks_and_in_any_digits(ada: Api, cognito: Stubber, code: str):
    by_email = {"ClientId": CLIENT_ID, "SecretHash": secret_hash(EMAIL), "Username": EMAIL}
    for path in ("confirm", "verification/confirm"):
        cognito.add_response("confirm_sign_up", {}, {**by_email, "ConfirmationCode": "123456"})
        ada.post(f"{AUTH}/{path}", {"email": EMAIL, "code": code}, status=200)
    for name in ("SOFTWARE_TOKEN_MFA", "SMS_MFA"):
        answers = {f"{name}_CODE": "123456", "USERNAME": EMAIL, "SECRET_HASH": secret_hash(EMAIL)}
        parameters = {"ChallengeName": name, "Session": SESSION, "ChallengeResponses": answers}
        cognito.add_response(
            "respond_to_auth_challenge",
            {"ChallengeName": "MFA_SETUP", "Session": SESSION},
            {"ClientId": CLIENT_ID, **parameters},
        )
        body = {**CHALLENGE, "challenge_name": name, "responses": {f"{name}_CODE": code}}
        ada.post(f"{AUTH}/challenge", body, status=200)
    rejected = {"Status": "ERROR"}
    verification = {"Session": SESSION, "UserCode": "123456"}
    cognito.add_response("verify_software_token", rejected, verification)
    body = {"email": EMAIL, "session": SESSION, "code": code}
    ada.refused(400, "POST", f"{AUTH}/mfa/verify", body)
    verification = {"AccessToken": ada.token or "", "UserCode": "123456"}
    cognito.add_response("verify_software_token", rejected, verification)
    ada.refused(400, "POST", "/users/me/mfa/confirm", {"code": code})
    # Last, since it revokes the token.
    reset = {**by_email, "ConfirmationCode": "123456", "Password": "x y"}
    cognito.add_response("confirm_forgot_password", {}, reset)
    challenge = {"ChallengeName": "SMS_MFA", "Session": SESSION}
    cognito.add_response("initiate_auth", challenge)
    ada.post(f"{AUTH}/reset-password", {"email": EMAIL, "code": code, "new_password": "x y"})


def test_other_answers_to_a_challenge_are_passed_on_as_they_are(ada: Api, cognito: Stubber):
    for name, answer in (("NEW_PASSWORD", "a b-c \uff11"), ("ANSWER", "12 34")):
        answers = {name: answer, "USERNAME": EMAIL, "SECRET_HASH": secret_hash(EMAIL)}
        parameters = {"ChallengeName": "X", "Session": SESSION, "ChallengeResponses": answers}
        cognito.add_response(
            "respond_to_auth_challenge",
            {"ChallengeName": "MFA_SETUP", "Session": SESSION},
            {"ClientId": CLIENT_ID, **parameters},
        )
        body = {**CHALLENGE, "challenge_name": "X", "responses": {name: answer}}
        ada.post(f"{AUTH}/challenge", body, status=200)


class TestSamePassword:
    def test_change_to_the_same_password_is_refused_without_a_call(
        self, ada: Api, cognito: Stubber
    ):
        body = {"current_password": PASSWORD, "new_password": PASSWORD}
        answer = ada.refused(400, "POST", "/users/me/change-password", body)
        assert answer["details"] == {"code": "SAME_PASSWORD"}
        assert PASSWORD not in str(answer)
        ada.get("/users/me")  # still signed in

    @pytest.mark.parametrize(
        ("operation", "path", "body"),
        [
            ("change_password", "/users/me/change-password", PASSWORDS),
            (
                "confirm_forgot_password",
                f"{AUTH}/reset-password",
                {**CODE, "new_password": PASSWORD},
            ),
            (
                "respond_to_auth_challenge",
                f"{AUTH}/challenge",
                {
                    **CHALLENGE,
                    "challenge_name": "NEW_PASSWORD_REQUIRED",
                    "responses": {"NEW_PASSWORD": PASSWORD},
                },
            ),
        ],
    )
    def test_password_of_the_history_is_refused_with_the_reason(
        self, ada: Api, cognito: Stubber, operation: str, path: str, body: dict[str, Any]
    ):
        text = "Password has previously been used"
        cognito.add_client_error(operation, "PasswordHistoryPolicyViolationException", text)
        answer = ada.refused(400, "POST", path, body)
        assert answer["message"].startswith("You have used this password before.")
        assert answer["details"]["code"] == "WEAK_PASSWORD"

    def test_moto_keeps_the_session_when_the_same_password_is_refused(
        self, anonymous: Api, user_pool: MotoUserPool
    ):
        user_pool.user("same@example.com", "Same")
        login = {"email": "same@example.com", "password": PASSWORD}
        tokens = anonymous.post(f"{AUTH}/login", login).json["tokens"]
        client = anonymous.signed_in(tokens["access_token"])
        body = {"current_password": PASSWORD, "new_password": PASSWORD}
        client.refused(400, "POST", "/users/me/change-password", body)
        client.get("/users/me")
        anonymous.post(f"{AUTH}/refresh", {"refresh_token": tokens["refresh_token"]}, status=200)


def test_weak_password_says_what_it_needs(ada: Api, cognito: Stubber):
    text = "Password did not conform with policy: "
    for violations, expected in (
        ("Password not long enough", "This password is too weak: it needs more characters."),
        (
            "Password must have numeric characters; Password must have symbol characters",
            "This password is too weak: it needs a digit and a special character.",
        ),
        ("something new", "This password is too weak."),
    ):
        cognito.add_client_error("change_password", "InvalidPasswordException", text + violations)
        path, body = REQUESTS["change_password"]
        assert ada.refused(400, "POST", path, body)["message"] == expected


def test_address_that_cognito_does_not_accept_is_named(ada: Api, cognito: Stubber):
    text = "Invalid email address format."
    cognito.add_client_error("sign_up", "InvalidParameterException", text)
    body = {**LOGIN, "name": "Ada", "turnstile_token": DUMMY_TOKEN}
    error = ada.refused(400, "POST", f"{AUTH}/signup", body)
    assert "does not accept the e-mail address" in error["message"]
