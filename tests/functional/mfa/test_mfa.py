"""TOTP, switched on and off by who is signed in: against moto, with real codes."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.common.api import Api
from tests.common.pool import PASSWORD, Pool
from tests.common.totp import code, wrong_code

PATH = "/users/me/mfa"
LOGIN = "/auth/cognito/login"
EMAIL = "careful@example.com"
OFF = {"enabled": False, "methods": []}
ON = {"enabled": True, "methods": ["SOFTWARE_TOKEN_MFA"]}


@pytest.fixture
def careful(anonymous: Api, pool: Pool) -> Iterator[Api]:
    """Somebody whose account is as it was, afterwards."""
    token = pool.user(EMAIL, "Careful").access_token
    yield anonymous.signed_in(token)
    off = {"Enabled": False, "PreferredMfa": False}
    pool.client.set_user_mfa_preference(AccessToken=token, SoftwareTokenMfaSettings=off)


@pytest.fixture
def secret(careful: Api) -> str:
    return careful.post(PATH, status=200).json["secret_code"]


def login(client: Api) -> dict[str, Any]:
    return client.post(LOGIN, {"email": EMAIL, "password": PASSWORD}).json


class TestOn:
    def test_with_a_code_of_the_app(self, careful: Api, anonymous: Api, secret: str):
        assert careful.get(PATH, status=200).json == OFF
        body = {"code": wrong_code(secret)}
        error = careful.refused(400, "POST", f"{PATH}/confirm", body)
        assert error["details"] == {"code": "CODE_MISMATCH"}
        assert careful.get(PATH).json == OFF
        assert login(anonymous)["status"] == "OK"

        body = {"code": code(secret), "friendly_name": "Phone"}
        assert careful.post(f"{PATH}/confirm", body, status=200).json == ON
        assert careful.get(PATH).json == ON
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
    def test_begins_with_what_the_app_reads(self, careful: Api, body: Any, label: str):
        answer = careful.post(PATH, body, status=200).json
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
    def test_refuses(self, careful: Api, path: str, body: dict, wrong: dict):
        assert careful.fields_at_fault("POST", path, body) == wrong

    def test_what_is_no_json_is_refused_there_too(self, careful: Api):
        careful.refused(400, "POST", PATH, b"[]")
        careful.refused(400, "POST", PATH, b"{")
        careful.refused(415, "POST", PATH, b"{}", headers={"Content-Type": "text/plain"})


class TestOff:
    @pytest.fixture(autouse=True)
    def on(self, careful: Api, secret: str):
        careful.post(f"{PATH}/confirm", {"code": code(secret)})

    def test_with_the_password(self, careful: Api, anonymous: Api):
        for _ in range(2):  # the second time the password leads to tokens
            answer = careful.call("DELETE", PATH, {"password": PASSWORD}, status=200)
            assert answer.json == OFF
        assert careful.get(PATH).json == OFF
        assert login(anonymous)["status"] == "OK"

    def test_not_with_a_wrong_one(self, careful: Api):
        wrong = "Wrong-password-1"
        error = careful.refused(400, "DELETE", PATH, {"password": wrong})
        assert error["details"] == {"code": "WRONG_PASSWORD"}
        assert wrong not in str(error)
        assert careful.get(PATH).json == ON

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({}, {"password": "missing"}),
            ({"password": ""}, {"password": "missing"}),
            ({"password": "x" * 257}, {"password": "string_too_long"}),
            ({"password": "x", "code": "123456"}, {"code": "extra_forbidden"}),
        ],
    )
    def test_refuses(self, careful: Api, body: dict, wrong: dict):
        assert careful.fields_at_fault("DELETE", PATH, body) == wrong

    def test_a_body_that_was_lost_on_the_way_is_told(self, careful: Api):
        careful.refused(415, "DELETE", PATH)
        careful.refused(400, "DELETE", PATH, b"")
        assert careful.get(PATH).json == ON


def test_nobody_without_a_token(anonymous: Api):
    for method in ("GET", "POST", "DELETE"):
        anonymous.refused(401, method, PATH)
