"""The endpoints that take an address: the same answer whether or not there is an account.

Cognito's errors by the state of an account, with PreventUserExistenceErrors, are those of
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
"""

from typing import Any

import pytest
from botocore.stub import Stubber

from tests.common.api import SAME_REQUEST_ID, Api
from tests.common.app import new_rate_limiter
from tests.common.cognito import SECRET_TEXT, SESSION
from tests.common.user_pool import PASSWORD, MotoUserPool

AUTH = "/auth/cognito"
EMAIL = "ada@example.com"
WRONG_CODE = "000000"

# Cognito's error by the state of the account; None: success.
CODE_BY_STATE = {
    "unknown": ("CodeMismatchException", SECRET_TEXT),
    "unknown, LEGACY": ("UserNotFoundException", SECRET_TEXT),
    "unknown, simulated": ("InvalidParameterException", "Cannot reset password for the user"),
    "confirmed": (
        "NotAuthorizedException",
        "User cannot be confirmed. Current status is CONFIRMED",
    ),
    "disabled": ("NotAuthorizedException", "User is disabled."),
    "unconfirmed": ("CodeMismatchException", SECRET_TEXT),
    "unconfirmed, at a reset": ("UserNotConfirmedException", SECRET_TEXT),
    "was sent no code": ("ExpiredCodeException", "Invalid code provided, please request again."),
    "address of another account": ("AliasExistsException", SECRET_TEXT),
}
SENDING_BY_STATE = {
    "known": None,
    "unknown, LEGACY": ("UserNotFoundException", SECRET_TEXT),
    "unknown, simulated": ("InvalidParameterException", "Cannot reset password for the user"),
    "confirmed": ("InvalidParameterException", "User is already confirmed."),
    "disabled": ("NotAuthorizedException", "User is disabled."),
    "unconfirmed, at a reset": ("UserNotConfirmedException", SECRET_TEXT),
    "too many codes": ("LimitExceededException", SECRET_TEXT),
    "undeliverable": ("CodeDeliveryFailureException", SECRET_TEXT),
    "SES denies": ("InvalidEmailRoleAccessPolicyException", SECRET_TEXT),
    "trigger rejects": ("UserLambdaValidationException", SECRET_TEXT),
    "trigger fails": ("UnexpectedLambdaException", SECRET_TEXT),
    "trigger answers nonsense": ("InvalidLambdaResponseException", SECRET_TEXT),
}
SIGN_IN_BY_STATE = {
    "unknown or wrong password": ("NotAuthorizedException", "Incorrect username or password."),
    "unknown, LEGACY": ("UserNotFoundException", "User does not exist."),
    "disabled": ("NotAuthorizedException", "User is disabled."),
}
CODE = {"email": EMAIL, "code": WRONG_CODE}
ENDPOINTS: dict[str, tuple[str, dict[str, str], int, dict[str, Any]]] = {
    "confirm": ("confirm_sign_up", CODE, 400, CODE_BY_STATE),
    "verification/confirm": ("confirm_sign_up", CODE, 400, CODE_BY_STATE),
    "reset-password": (
        *("confirm_forgot_password", {**CODE, "new_password": PASSWORD}, 400, CODE_BY_STATE),
    ),
    "verification/send": ("resend_confirmation_code", {"email": EMAIL}, 200, SENDING_BY_STATE),
    "forgot-password": ("forgot_password", {"email": EMAIL}, 200, SENDING_BY_STATE),
    "login": ("initiate_auth", {"email": EMAIL, "password": PASSWORD}, 401, SIGN_IN_BY_STATE),
}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_answer_is_the_same_in_every_state_of_the_account(
    ada: Api, cognito: Stubber, app: Any, monkeypatch: pytest.MonkeyPatch, path: str
):
    operation, body, status, states = ENDPOINTS[path]
    answers = {}
    for state, error in states.items():
        monkeypatch.setitem(app.registry, "rate_limiter", new_rate_limiter())
        if error is None:
            cognito.add_response(operation, {})
        else:
            cognito.add_client_error(operation, *error)
        answer = ada.call("POST", f"{AUTH}/{path}", body, status=status, headers=SAME_REQUEST_ID)
        answers[state] = answer.body, sorted(answer.headers.items())
        cognito.assert_no_pending_responses()  # one call in every state
    assert len({repr(answer) for answer in answers.values()}) == 1, answers
    if status == 400:
        assert answer.json["details"] == {"code": "CODE_MISMATCH"}


def test_malformed_password_is_not_called_a_wrong_code(ada: Api, cognito: Stubber):
    text = "1 validation error detected: Value at 'password' failed to satisfy constraint"
    cognito.add_client_error("confirm_forgot_password", "InvalidParameterException", text)
    body = {**CODE, "new_password": " x"}
    error = ada.refused(400, "POST", f"{AUTH}/reset-password", body)
    assert "details" not in error
    assert "does not accept the password" in error["message"]


def test_session_of_no_sign_in_answers_the_same_for_every_address(ada: Api, cognito: Stubber):
    answers = set()
    for name in ("NotAuthorizedException", "UserNotFoundException", "ResourceNotFoundException"):
        cognito.add_client_error("respond_to_auth_challenge", name, SECRET_TEXT)
        body = {
            "email": EMAIL,
            "session": SESSION,
            "challenge_name": "SOFTWARE_TOKEN_MFA",
            "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"},
        }
        path = f"{AUTH}/challenge"
        answers.add(ada.call("POST", path, body, status=401, headers=SAME_REQUEST_ID).body)
    assert len(answers) == 1


class TestAgainstMoto:
    """Accounts in the states that moto knows."""

    @pytest.fixture
    def addresses(self, user_pool: MotoUserPool) -> dict[str, str]:
        """An address for each state."""
        pool, client = user_pool.pool_id, user_pool.client
        addresses = {"unknown": "unknown-account@example.com"}
        for state in ("confirmed", "disabled"):
            addresses[state] = f"{state}-account@example.com"
            user_pool.user(addresses[state], state)
        client.admin_disable_user(UserPoolId=pool, Username=addresses["disabled"])
        invited = addresses["invited"] = "invited-account@example.com"
        found = client.list_users(UserPoolId=pool, Filter=f'email = "{invited}"')["Users"]
        if not found:
            client.admin_create_user(
                UserPoolId=pool,
                Username=invited,
                UserAttributes=[{"Name": "email", "Value": invited}],
            )
        return addresses

    @pytest.mark.parametrize(
        ("path", "form", "status"),
        [
            ("login", {"password": "Wrong-password-1"}, 401),
            ("verification/send", {}, 200),
            ("forgot-password", {}, 200),
        ],
    )
    def test_answer_is_the_same_in_every_state_of_the_account(
        self,
        anonymous: Api,
        addresses: dict[str, str],
        path: str,
        form: dict[str, str],
        status: int,
    ):
        bodies = {
            state: anonymous.post(
                f"{AUTH}/{path}", {"email": email, **form}, status=status, headers=SAME_REQUEST_ID
            ).body
            for state, email in addresses.items()
        }
        assert len(set(bodies.values())) == 1, bodies
