"""MFA enabled and disabled by a signed-in user: against moto, with real TOTP codes."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.common.api import Api
from tests.common.totp import code, wrong_code
from tests.common.user_pool import PASSWORD, MotoUserPool

PATH = "/users/me/mfa"
LOGIN = "/auth/cognito/login"
EMAIL = "careful@example.com"
OFF = {"enabled": False, "methods": []}
ON = {"enabled": True, "methods": ["SOFTWARE_TOKEN_MFA"]}


@pytest.fixture
def mfa_client(anonymous: Api, user_pool: MotoUserPool) -> Iterator[Api]:
    """A client whose MFA is disabled again after the test."""
    token = user_pool.user(EMAIL, "Careful").access_token
    yield anonymous.signed_in(token)
    off = {"Enabled": False, "PreferredMfa": False}
    user_pool.client.set_user_mfa_preference(AccessToken=token, SoftwareTokenMfaSettings=off)


@pytest.fixture
def secret(mfa_client: Api) -> str:
    return mfa_client.post(PATH, status=200).json["secret_code"]


def login(client: Api) -> dict[str, Any]:
    return client.post(LOGIN, {"email": EMAIL, "password": PASSWORD}).json


class TestEnable:
    def test_totp_code_enables_mfa(self, mfa_client: Api, anonymous: Api, secret: str):
        assert mfa_client.get(PATH, status=200).json == OFF
        body = {"code": wrong_code(secret)}
        error = mfa_client.refused(400, "POST", f"{PATH}/confirm", body)
        assert error["details"] == {"code": "CODE_MISMATCH"}
        assert mfa_client.get(PATH).json == OFF
        assert login(anonymous)["status"] == "OK"

        body = {"code": code(secret), "friendly_name": "Phone"}
        assert mfa_client.post(f"{PATH}/confirm", body, status=200).json == ON
        assert mfa_client.get(PATH).json == ON
        step = login(anonymous)
        assert (step["tokens"], step["next_step"]) == (None, "SOFTWARE_TOKEN_MFA")
        answer = {
            "email": EMAIL,
            "challenge_name": step["challenge_name"],
            "session": step["session"],
            "responses": {"SOFTWARE_TOKEN_MFA_CODE": code(secret)},
        }
        assert anonymous.post("/auth/cognito/challenge", answer).json["status"] == "OK"

    @pytest.mark.parametrize(
        ("body", "label"),
        [(None, EMAIL), ({}, EMAIL), ({"label": " "}, EMAIL), ({"label": " My jobs"}, "My jobs")],
    )
    def test_post_mfa_answers_an_otpauth_uri(self, mfa_client: Api, body: Any, label: str):
        answer = mfa_client.post(PATH, body, status=200).json
        assert answer.keys() == {"secret_code", "otpauth_uri"}
        uri = urlsplit(answer["otpauth_uri"])
        assert (uri.scheme, uri.netloc, unquote(uri.path)) == (
            *("otpauth", "totp", f"/JobTracker:{label}"),
        )
        secret = [answer["secret_code"]]
        assert parse_qs(uri.query) == {"secret": secret, "issuer": ["JobTracker"]}

    @pytest.mark.parametrize(
        ("path", "body", "wrong"),
        [
            (PATH, {"label": 1}, {"label": "string_type"}),
            (PATH, {"label": "x" * 256}, {"label": "string_too_long"}),
            (PATH, {"password": "x" * 257}, {"password": "string_too_long"}),
            (PATH, {"session": "x"}, {"session": "extra_forbidden"}),
            (f"{PATH}/confirm", {}, {"code": "missing"}),
            (f"{PATH}/confirm", {"code": "12345"}, {"code": "string_pattern"}),
            (f"{PATH}/confirm", {"code": 123456}, {"code": "string_type"}),
            (
                f"{PATH}/confirm",
                {"code": "123456", "friendly_name": "x" * 256},
                {"friendly_name": "string_too_long"},
            ),
        ],
    )
    def test_post_mfa_with_an_invalid_field_answers_422(
        self, mfa_client: Api, path: str, body: dict, wrong: dict
    ):
        assert mfa_client.field_errors("POST", path, body) == wrong

    def test_post_mfa_with_a_body_that_is_not_json_answers_400_or_415(self, mfa_client: Api):
        mfa_client.refused(400, "POST", PATH, b"[]")
        mfa_client.refused(400, "POST", PATH, b"{")
        mfa_client.refused(415, "POST", PATH, b"{}", headers={"Content-Type": "text/plain"})


@pytest.fixture
def on(mfa_client: Api, secret: str) -> None:
    mfa_client.post(f"{PATH}/confirm", {"code": code(secret)})


@pytest.mark.usefixtures("on")
class TestReplace:
    def test_access_token_alone_does_not_replace_the_second_factor(self, mfa_client: Api):
        for body in (None, {}, {"label": "Phone"}, {"password": ""}, {"password": None}):
            error = mfa_client.refused(403, "POST", PATH, body)
            assert error["details"] == {"code": "PASSWORD_REQUIRED"}
        wrong = "Wrong-password-1"
        error = mfa_client.refused(400, "POST", PATH, {"password": wrong})
        assert error["details"] == {"code": "WRONG_PASSWORD"}
        assert wrong not in str(error)

    def test_password_replaces_the_second_factor(self, mfa_client: Api):
        secret = mfa_client.post(PATH, {"password": PASSWORD}, status=200).json["secret_code"]
        assert mfa_client.post(f"{PATH}/confirm", {"code": code(secret)}).json == ON


@pytest.mark.usefixtures("on")
class TestDisable:
    def test_password_disables_mfa(self, mfa_client: Api, anonymous: Api):
        for _ in range(2):  # the second time the password leads to tokens
            answer = mfa_client.call("DELETE", PATH, {"password": PASSWORD}, status=200)
            assert answer.json == OFF
        assert mfa_client.get(PATH).json == OFF
        assert login(anonymous)["status"] == "OK"

    def test_wrong_password_does_not_disable_mfa(self, mfa_client: Api):
        wrong = "Wrong-password-1"
        error = mfa_client.refused(400, "DELETE", PATH, {"password": wrong})
        assert error["details"] == {"code": "WRONG_PASSWORD"}
        assert wrong not in str(error)
        assert mfa_client.get(PATH).json == ON

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({}, {"password": "missing"}),
            ({"password": ""}, {"password": "missing"}),
            ({"password": "x" * 257}, {"password": "string_too_long"}),
            ({"password": "x", "code": "123456"}, {"code": "extra_forbidden"}),
        ],
    )
    def test_delete_mfa_with_an_invalid_field_answers_422(
        self, mfa_client: Api, body: dict, wrong: dict
    ):
        assert mfa_client.field_errors("DELETE", PATH, body) == wrong

    def test_delete_mfa_without_a_body_answers_400_or_415(self, mfa_client: Api):
        mfa_client.refused(415, "DELETE", PATH)
        mfa_client.refused(400, "DELETE", PATH, b"")
        assert mfa_client.get(PATH).json == ON


def test_mfa_without_a_token_answers_401(anonymous: Api):
    for method in ("GET", "POST", "DELETE"):
        anonymous.refused(401, method, PATH)
