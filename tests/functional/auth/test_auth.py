"""Sign-up, sign-in, forgotten passwords and sign-out: against moto."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from jobtracker.auth.turnstile import Turnstile
from jobtracker.local.turnstile import DUMMY_TOKEN
from jobtracker.users.models import User
from tests.common.api import SAME_REQUEST_ID, Api
from tests.common.user_pool import PASSWORD, MotoUserPool

AUTH = "/auth/cognito"
SIGN_IN_KEYS = {"status", "message", "next_step", "challenge_name", "session", "tokens"}
GRACE = {
    "email": "Grace@Example.com ",
    "password": PASSWORD,
    "name": " Grace ",
    "turnstile_token": DUMMY_TOKEN,
}


@pytest.fixture
def no_grace(user_pool: MotoUserPool) -> Iterator[None]:
    """Delete Grace's account from moto after the test."""
    yield
    for user in user_pool.client.list_users(UserPoolId=user_pool.pool_id)["Users"]:
        emails = [item["Value"] for item in user["Attributes"] if item["Name"] == "email"]
        if emails == ["grace@example.com"]:
            user_pool.client.admin_delete_user(
                UserPoolId=user_pool.pool_id, Username=user["Username"]
            )


@pytest.mark.usefixtures("no_grace")
class TestSignUp:
    def test_sign_up_then_confirm_then_sign_in(self, anonymous: Api, db: Session):
        answer = anonymous.post(f"{AUTH}/signup", GRACE, status=200).json
        assert answer.keys() == {"status", "message"}
        assert answer["status"] == "CONFIRMATION_REQUIRED"

        login = {"email": "grace@example.COM", "password": PASSWORD}
        error = anonymous.refused(403, "POST", f"{AUTH}/login", login)
        assert error["error"] == "EMAIL_NOT_VERIFIED"
        assert error["details"] == {"code": "EMAIL_NOT_VERIFIED", "email": "grace@example.com"}

        confirm = {"email": " GRACE@example.com", "code": "123456"}
        assert anonymous.post(f"{AUTH}/confirm", confirm, status=200).json["status"] == "OK"

        answer = anonymous.post(f"{AUTH}/login", login, status=200).json
        assert answer.keys() == SIGN_IN_KEYS
        assert answer["status"] == "OK"
        assert (answer["next_step"], answer["challenge_name"]) == (None, None)
        assert answer["session"] is None
        tokens = answer["tokens"]
        assert tokens.keys() == {
            *("access_token", "id_token", "refresh_token", "expires_in", "token_type")
        }
        assert tokens["token_type"] == "Bearer"
        assert tokens["expires_in"] > 0

        user = db.scalars(select(User)).one()
        assert (user.email, user.name) == ("grace@example.com", "Grace")
        me = anonymous.signed_in(tokens["access_token"]).get("/users/me").json
        assert (me["id"], me["is_email_verified"]) == (user.id, True)

    def test_verification_confirm_confirms_the_account(self, anonymous: Api):
        anonymous.post(f"{AUTH}/signup", GRACE)
        code = {"email": "grace@example.com", "code": "123456"}
        anonymous.post(f"{AUTH}/verification/confirm", code, status=200)
        anonymous.post(f"{AUTH}/login", {"email": "grace@example.com", "password": PASSWORD})

    def test_sign_up_of_an_existing_address_answers_409(self, anonymous: Api):
        anonymous.post(f"{AUTH}/signup", GRACE)
        anonymous.refused(409, "POST", f"{AUTH}/signup", GRACE)

    def test_sign_up_with_a_weak_password_answers_400(self, anonymous: Api):
        error = anonymous.refused(400, "POST", f"{AUTH}/signup", {**GRACE, "password": "weak"})
        assert error["details"]["code"] == "WEAK_PASSWORD"
        assert error["details"]["violations"]
        assert "weak" not in str(error["details"]["violations"])

    def test_sign_up_with_an_invalid_turnstile_token_answers_400(
        self, anonymous: Api, user_pool: MotoUserPool
    ):
        body = {**GRACE, "turnstile_token": "made-up"}
        error = anonymous.refused(400, "POST", f"{AUTH}/signup", body)
        assert error["details"] == {"code": "CAPTCHA_FAILED"}
        anonymous.post(f"{AUTH}/signup", GRACE)  # so there was no account

    @pytest.mark.parametrize(
        ("url", "secret"),
        [
            ("http://127.0.0.1:1/", "secret"),  # no listener
            ("http://127.0.0.1:1/", None),  # not configured
        ],
    )
    def test_sign_up_without_turnstile_answers_503(
        self, anonymous: Api, app: Any, monkeypatch: pytest.MonkeyPatch, url: str, secret: str
    ):
        with monkeypatch.context() as patch:
            patch.setitem(app.registry, "turnstile", Turnstile(url, secret))
            anonymous.refused(503, "POST", f"{AUTH}/signup", GRACE)
        anonymous.post(f"{AUTH}/signup", GRACE)  # so there was no account

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("email", None, "missing"),
            ("email", "grace", "string_pattern"),
            ("email", "grace@example", "string_pattern"),
            ("email", "gr ace@example.com", "string_pattern"),
            ("email", "g@example.com\nBcc: x@y.zz", "string_pattern"),
            ("email", "x" * 120 + "@example.com", "string_too_long"),
            ("email", "\u212aelvin@example.com", "string_pattern"),  # becomes a k in lower case
            ("email", 5, "string_type"),
            ("password", "", "missing"),
            ("password", "x" * 257, "string_too_long"),
            ("name", " ", "missing"),
            ("name", "x" * 101, "string_too_long"),
            ("turnstile_token", None, "missing"),
            ("is_admin", True, "extra_forbidden"),
        ],
    )
    def test_sign_up_with_an_invalid_field_answers_422(
        self, anonymous: Api, field: str, value: object, kind: str
    ):
        body = {**GRACE, field: value}
        assert anonymous.field_errors("POST", f"{AUTH}/signup", body) == {field: kind}


class TestSignIn:
    def test_wrong_password_and_unknown_address_answer_the_same(self, anonymous: Api, ada: Api):
        path = f"{AUTH}/login"
        wrong = {"email": "ada@example.com", "password": "Wrong-password-1"}
        unknown = {"email": "nobody@example.com", "password": PASSWORD}
        first = anonymous.call("POST", path, wrong, status=401, headers=SAME_REQUEST_ID)
        second = anonymous.call("POST", path, unknown, status=401, headers=SAME_REQUEST_ID)
        assert first.body == second.body
        assert first.headers == second.headers

    def test_password_is_not_trimmed(self, anonymous: Api, ada: Api):
        body = {"email": "ada@example.com", "password": f" {PASSWORD}"}
        anonymous.refused(401, "POST", f"{AUTH}/login", body)

    def test_sign_in_updates_the_copies_of_email_and_name(
        self, anonymous: Api, user_pool: MotoUserPool, db: Session
    ):
        email = "renamed@example.com"
        token = user_pool.user(email, "Before").access_token
        me = anonymous.signed_in(token).get("/users/me").json
        user_pool.client.admin_update_user_attributes(
            UserPoolId=user_pool.pool_id,
            Username=email,
            UserAttributes=[{"Name": "name", "Value": "After"}],
        )
        anonymous.post(f"{AUTH}/login", {"email": email, "password": PASSWORD})
        assert anonymous.signed_in(token).get("/users/me").json == {**me, "name": "After"}

    def test_refresh_token_answers_new_tokens(self, anonymous: Api, user_pool: MotoUserPool):
        tokens = user_pool.user("ada@example.com", "Ada")
        body = {"refresh_token": tokens.refresh_token}
        answer = anonymous.post(f"{AUTH}/refresh", body, status=200).json
        assert answer.keys() == SIGN_IN_KEYS
        assert answer["status"] == "OK"
        assert answer["tokens"]["refresh_token"] == tokens.refresh_token
        anonymous.signed_in(answer["tokens"]["access_token"]).get("/users/me")

    def test_invalid_refresh_token_answers_401(self, anonymous: Api):
        anonymous.refused(401, "POST", f"{AUTH}/refresh", {"refresh_token": "made-up"})
        fault = anonymous.field_errors("POST", f"{AUTH}/refresh", {"refresh_token": "a b"})
        assert fault == {"refresh_token": "string_pattern"}


class TestForgottenPassword:
    EMAIL = "forgetful@example.com"
    NEW = "Hopper-1906-x"

    def test_reset_of_a_password_by_code(self, anonymous: Api, user_pool: MotoUserPool):
        user_pool.user(self.EMAIL, "Forgetful")
        path = f"{AUTH}/forgot-password"
        known, unknown = (
            anonymous.post(path, {"email": email}, headers=SAME_REQUEST_ID)
            for email in (self.EMAIL.upper(), "nobody@example.com")
        )
        assert (known.body, known.headers) == (unknown.body, unknown.headers)
        assert known.json.keys() == {"status", "message"}
        assert known.json["status"] == "OK"

        reset = {"email": self.EMAIL, "new_password": self.NEW}
        stale = {**reset, "code": "moto-confirmation-code:0"}  # the only form that moto checks
        error = anonymous.refused(400, "POST", f"{AUTH}/reset-password", stale)
        assert error["details"] == {"code": "CODE_MISMATCH"}
        right = {**reset, "code": "123456"}
        answer = anonymous.post(f"{AUTH}/reset-password", right, status=200).json
        assert answer.keys() == {"status", "message"}
        assert self.NEW not in str(answer)

        login = {"email": self.EMAIL, "password": PASSWORD}
        anonymous.refused(401, "POST", f"{AUTH}/login", login)
        anonymous.post(f"{AUTH}/login", {**login, "password": self.NEW}, status=200)

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("email", "nobody", "string_pattern"),
            ("code", " ", "missing"),
            ("code", "zwölf", "string_pattern"),
            ("code", 123456, "string_type"),
            ("new_password", "", "missing"),
            ("new_password", "x" * 257, "string_too_long"),
            ("token", "x", "extra_forbidden"),
        ],
    )
    def test_reset_of_a_password_with_an_invalid_field_answers_422(
        self, anonymous: Api, field: str, value: object, kind: str
    ):
        body = {"email": self.EMAIL, "code": "123456", "new_password": self.NEW, field: value}
        assert anonymous.field_errors("POST", f"{AUTH}/reset-password", body) == {field: kind}


class TestSignOut:
    OK = {"status": "OK", "message": "Logged out"}

    @pytest.mark.parametrize(
        "body", [None, b"", b"{", b"[]", {}, {"refresh_token": 1}, {"refresh_token": "made-up"}]
    )
    def test_sign_out_succeeds_with_any_body(self, anonymous: Api, body: object):
        assert anonymous.post(f"{AUTH}/logout", body, status=200).json == self.OK
        stale = anonymous.signed_in("garbage")
        assert stale.post(f"{AUTH}/logout", body, status=200).json == self.OK

    def test_sign_out_revokes_the_refresh_token(
        self, anonymous: Api, app: Any, monkeypatch: pytest.MonkeyPatch
    ):
        revoked: list[str] = []

        def revoke(refresh_token: str) -> None:
            revoked.append(refresh_token)

        monkeypatch.setattr(app.registry["cognito"], "revoke", revoke)
        body = {"refresh_token": "of-this-device", "device": "phone"}
        assert anonymous.post(f"{AUTH}/logout", body, status=200).json == self.OK
        assert revoked == ["of-this-device"]
