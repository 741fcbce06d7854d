"""Sign-in with TOTP: set up where the user pool requires it, and asked for where it is set up."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from webtest import TestApp

import jobtracker
from jobtracker.local.aws import Aws
from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.api import Api
from tests.common.app import dispose_engines
from tests.common.totp import code, wrong_code
from tests.common.user_pool import PASSWORD, MotoUserPool

AUTH = "/auth/cognito"
SIGN_IN_KEYS = {"status", "message", "next_step", "challenge_name", "session", "tokens"}
GRACE = {
    "email": "Grace@Example.com ",
    "password": PASSWORD,
    "name": " Grace ",
    "turnstile_token": DUMMY_TOKEN,
}


@pytest.fixture(scope="module")
def mfa_required_pool(aws: Aws) -> MotoUserPool:
    """A user pool that requires MFA."""
    return MotoUserPool(aws, mfa="ON")


@pytest.fixture(scope="module")
def mfa_required_app(settings: dict[str, str], mfa_required_pool: MotoUserPool) -> Iterator[Any]:
    """An application on that pool."""
    ours = {
        **settings,
        "cognito.user_pool_id": mfa_required_pool.pool_id,
        "cognito.client_id": mfa_required_pool.client_id,
        "cognito.client_secret": mfa_required_pool.client_secret,
    }
    mfa_required_app = jobtracker.main({}, **ours)
    yield mfa_required_app
    dispose_engines(mfa_required_app)


@pytest.fixture
def mfa_required_client(
    mfa_required_app: Any, app: Any, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> Api:
    """A client of that application, on this test's connection."""
    for name in ("db_engine", "db_sessions", "db_autocommit", "rate_limiter"):
        monkeypatch.setitem(mfa_required_app.registry, name, app.registry[name])
    return Api(TestApp(mfa_required_app))


class TestMfa:
    """moto answers MFA_SETUP only for accounts made by AdminCreateUser."""

    EMAIL = "katherine@example.com"

    @pytest.fixture
    def session(self, mfa_required_client: Api, mfa_required_pool: MotoUserPool) -> Iterator[str]:
        """The session of a sign-in at MFA_SETUP."""
        mfa_required_pool.client.admin_create_user(
            UserPoolId=mfa_required_pool.pool_id,
            Username=self.EMAIL,
            TemporaryPassword=PASSWORD,
            UserAttributes=[{"Name": "email", "Value": self.EMAIL}],
        )
        login = {"email": self.EMAIL, "password": PASSWORD}
        first = mfa_required_client.post(f"{AUTH}/login", login, status=200).json
        assert first.keys() == SIGN_IN_KEYS
        assert (first["status"], first["tokens"]) == ("CHALLENGE", None)
        assert first["next_step"] == first["challenge_name"] == "NEW_PASSWORD_REQUIRED"
        body = {
            "email": self.EMAIL.upper(),
            "challenge_name": "NEW_PASSWORD_REQUIRED",
            "session": first["session"],
            "responses": {"NEW_PASSWORD": PASSWORD},
        }
        second = mfa_required_client.post(f"{AUTH}/challenge", body, status=200).json
        assert second["next_step"] == "MFA_SETUP"
        yield second["session"]
        mfa_required_pool.client.admin_delete_user(
            UserPoolId=mfa_required_pool.pool_id, Username=self.EMAIL
        )

    def setup(self, mfa_required_client: Api, session: str, **fields: str) -> dict[str, str]:
        body = {"session": session, **fields}
        return mfa_required_client.post(f"{AUTH}/mfa/setup", body, status=200).json

    def test_mfa_set_up_then_challenge_at_each_sign_in(
        self, mfa_required_client: Api, session: str
    ):
        setup = self.setup(mfa_required_client, session, label="Katherine: job hunt")
        assert setup.keys() == {"secret_code", "otpauth_uri", "session"}
        uri = urlsplit(setup["otpauth_uri"])
        assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
        assert uri.path == "/JobTracker:Katherine%3A%20job%20hunt"
        assert parse_qs(uri.query) == {"secret": [setup["secret_code"]], "issuer": ["JobTracker"]}

        verify = {"email": self.EMAIL, "session": setup["session"], "friendly_name": "Phone"}
        wrong = {**verify, "code": wrong_code(setup["secret_code"])}
        error = mfa_required_client.refused(400, "POST", f"{AUTH}/mfa/verify", wrong)
        assert error["details"] == {"code": "CODE_MISMATCH"}
        right = {**verify, "code": code(setup["secret_code"])}
        done = mfa_required_client.post(f"{AUTH}/mfa/verify", right, status=200).json
        assert done.keys() == SIGN_IN_KEYS
        assert done["status"] == "OK"
        me = mfa_required_client.signed_in(done["tokens"]["access_token"]).get("/users/me").json
        assert (me["email"], me["name"]) == (self.EMAIL, None)

        login = {"email": self.EMAIL, "password": PASSWORD}
        again = mfa_required_client.post(f"{AUTH}/login", login, status=200).json
        assert (again["status"], again["next_step"]) == ("CHALLENGE", "SOFTWARE_TOKEN_MFA")
        assert again["tokens"] is None
        answer = {
            "email": self.EMAIL,
            "challenge_name": "SOFTWARE_TOKEN_MFA",
            "session": again["session"],
        }
        wrong = {"SOFTWARE_TOKEN_MFA_CODE": wrong_code(setup["secret_code"])}
        error = mfa_required_client.refused(
            400, "POST", f"{AUTH}/challenge", {**answer, "responses": wrong}
        )
        assert error["details"] == {"code": "CODE_MISMATCH"}
        right = {"SOFTWARE_TOKEN_MFA_CODE": code(setup["secret_code"])}
        tokens = mfa_required_client.post(f"{AUTH}/challenge", {**answer, "responses": right}).json[
            "tokens"
        ]
        mfa_required_client.signed_in(tokens["access_token"]).get("/users/me")

        used_up = mfa_required_client.refused(
            401, "POST", f"{AUTH}/challenge", {**answer, "responses": right}
        )
        assert used_up["error"] == "UNAUTHORIZED"

    def test_mfa_set_up_without_a_label(self, mfa_required_client: Api, session: str):
        uri = self.setup(mfa_required_client, session)["otpauth_uri"]
        assert uri.startswith("otpauth://totp/JobTracker?secret=")

    @pytest.mark.parametrize("session", ["x", "made-up-" * 5])
    def test_mfa_with_an_invalid_session_answers_401(self, anonymous: Api, session: str):
        anonymous.refused(401, "POST", f"{AUTH}/mfa/setup", {"session": session})
        verify = {"email": self.EMAIL, "session": session, "code": "123456"}
        anonymous.refused(401, "POST", f"{AUTH}/mfa/verify", verify)
        answer = {
            "email": self.EMAIL,
            "session": session,
            "challenge_name": "SOFTWARE_TOKEN_MFA",
            "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"},
        }
        anonymous.refused(401, "POST", f"{AUTH}/challenge", answer)

    @pytest.mark.parametrize(
        ("path", "field", "value", "kind"),
        [
            ("mfa/verify", "code", "12345", "string_pattern"),
            ("mfa/verify", "code", "12345a", "string_pattern"),
            ("mfa/verify", "code", 123456, "string_type"),
            ("mfa/verify", "friendly_name", "x" * 256, "string_too_long"),
            ("challenge", "challenge_name", "", "missing"),
            ("challenge", "challenge_name", "no name", "string_pattern"),
            ("challenge", "responses", None, "missing"),
            ("challenge", "responses", [], "dict_type"),
            ("challenge", "responses", {"A": 1}, "string_type"),
            ("challenge", "responses", {"A": "\ud800"}, "string_characters"),
            ("challenge", "responses", {str(n): "" for n in range(21)}, "too_long"),
            ("challenge", "session", "x" * 2049, "string_too_long"),
        ],
    )
    def test_mfa_with_an_invalid_field_answers_422(
        self, anonymous: Api, path: str, field: str, value: object, kind: str
    ):
        valid: dict[str, Any] = {"email": self.EMAIL, "session": "made-up-" * 5}
        if path == "challenge":
            valid |= {"challenge_name": "SOFTWARE_TOKEN_MFA", "responses": {}}
        else:
            valid |= {"code": "123456"}
        body = {**valid, field: value}
        assert anonymous.field_errors("POST", f"{AUTH}/{path}", body) == {field: kind}
