"""What is recorded of each event, and that nothing is of what did not happen."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from pyramid.scripting import prepare
from sqlalchemy import text
from sqlalchemy.orm import Session

from jobtracker.auth import cognito_errors
from jobtracker.auth.sign_in import SignIn, Tokens
from jobtracker.errors import BadRequest, Unavailable
from jobtracker.local.turnstile import DUMMY_TOKEN
from jobtracker.pshell import setup
from tests.common.api import Api
from tests.common.audit import entries, kinds
from tests.common.totp import code, wrong_code
from tests.common.user_pool import PASSWORD, MotoUserPool

AUTH = "/auth/cognito"
MFA = "/users/me/mfa"
NEW = "Hopper-1906-x"
TOTP = "SOFTWARE_TOKEN_MFA"

_numbers = itertools.count()


@pytest.fixture
def sign_in(anonymous: Api, email: str) -> Callable[..., Api]:
    """Signs in, and returns the client."""

    def post(password: str = PASSWORD) -> Api:
        login = {"email": email, "password": password}
        tokens = anonymous.post(f"{AUTH}/login", login).json["tokens"]
        return anonymous.signed_in(tokens["access_token"])

    return post


def fail(error: Exception) -> Callable[..., Any]:
    def call(*_args: Any, **_parameters: Any) -> None:
        raise error

    return call


def test_sign_up_and_confirmation_are_shown_after_the_first_sign_in(
    anonymous: Api, user_pool: MotoUserPool, db: Session
):
    address = f"new-{next(_numbers)}@example.com"
    form = {"email": address, "password": PASSWORD, "name": "New"}
    request_id = {"X-Request-ID": "of-the-sign-up"}
    sign_up = {**form, "turnstile_token": DUMMY_TOKEN}
    anonymous.post(f"{AUTH}/signup", sign_up, headers=request_id)
    anonymous.refused(409, "POST", f"{AUTH}/signup", sign_up)
    anonymous.post(f"{AUTH}/confirm", {"email": address.upper(), "code": "123456"})
    assert db.scalar(text("SELECT count(*) FROM audit")) == 0
    login = {"email": address, "password": PASSWORD}
    tokens = anonymous.post(f"{AUTH}/login", login).json["tokens"]
    client = anonymous.signed_in(tokens["access_token"])
    assert kinds(client) == ["sign_up", "email_confirmed", "sign_in"]
    first = entries(client)[-1]
    assert (first["request_id"], first["session"], first["current"]) == (
        *("of-the-sign-up", None, False),
    )
    assert first["at"] == first["last_at"] < entries(client)[0]["at"]
    assert len({entry["client"] for entry in entries(client)}) == 1
    anonymous.post(f"{AUTH}/login", login)
    assert kinds(client) == ["sign_up", "email_confirmed", "sign_in", "sign_in"]
    assert db.scalar(text("SELECT count(*) FROM account_audit")) == 0


def test_sign_up_is_shown_after_the_first_request_of_a_sign_in_elsewhere(
    anonymous: Api, user_pool: MotoUserPool
):
    address = f"elsewhere-{next(_numbers)}@example.com"
    form = {"email": address, "password": PASSWORD, "name": "x", "turnstile_token": DUMMY_TOKEN}
    anonymous.post(f"{AUTH}/signup", form)
    user_pool.client.admin_confirm_sign_up(UserPoolId=user_pool.pool_id, Username=address)
    tokens = user_pool.server_side.sign_in(address, PASSWORD).tokens
    assert tokens is not None
    assert kinds(anonymous.signed_in(tokens.access_token)) == ["sign_up"]


def test_sign_ins_tell_the_current_session_from_others(sign_in: Callable[..., Api]):
    here, there = sign_in(), sign_in()
    (second, first) = entries(here)
    assert [second["kind"], first["kind"]] == ["sign_in", "sign_in"]
    assert (first["current"], second["current"]) == (True, False)
    assert [entry["current"] for entry in entries(there)] == [True, False]
    assert first["session"] != second["session"]
    assert first["client"] == second["client"]
    claims = jwt.decode(here.token or "", options={"verify_signature": False})
    assert claims["origin_jti"] not in str(entries(here))


def test_refresh_is_no_sign_in(anonymous: Api, email: str, sign_in: Callable[..., Api]):
    client = sign_in()
    login = {"email": email, "password": PASSWORD}
    tokens = anonymous.post(f"{AUTH}/login", login).json["tokens"]
    anonymous.post(f"{AUTH}/refresh", {"refresh_token": tokens["refresh_token"]})
    assert kinds(client) == ["sign_in", "sign_in"]


def test_sign_out_is_recorded_once_for_each_session(anonymous: Api, sign_in: Callable[..., Api]):
    here, there = sign_in(), sign_in()
    for _ in range(3):
        there.post(f"{AUTH}/logout")
    anonymous.post(f"{AUTH}/logout")
    assert kinds(here) == ["sign_in", "sign_in", "sign_out"]
    sign_out, of_there, _of_here = entries(here)
    assert sign_out["session"] == of_there["session"]


def test_sign_out_without_token_revocation_is_recorded_once(
    anonymous: Api, user_pool: MotoUserPool, sign_in: Callable[..., Api]
):
    claims = jwt.decode(sign_in().token or "", options={"verify_signature": False})
    client = anonymous.signed_in(user_pool.token(sub=claims["sub"]))
    for _ in range(2):
        client.post(f"{AUTH}/logout")
    assert kinds(sign_in()) == ["sign_in", "sign_out", "sign_in"]


def test_sign_out_everywhere_is_recorded(sign_in: Callable[..., Api]):
    sign_in().post("/users/me/sign-out-everywhere")
    assert kinds(sign_in()) == ["sign_in", "sign_out_everywhere", "sign_in"]


def test_sign_out_everywhere_at_pshell_is_recorded_without_a_request(
    app: Any, email: str, sign_in: Callable[..., Api]
):
    sign_in()
    env = prepare(registry=app.registry)
    manager = setup(env)
    next(manager)
    env["act_as"](email)
    env["root"]["users"]["me"].sign_out_everywhere()
    env["commit"]()
    assert [row.kind for row in env["root"]["users"]["me"]["audit"].list()] == [
        *("sign_out_everywhere", "sign_in")
    ]
    next(manager, None)
    env["closer"]()
    entry = entries(sign_in())[1]
    assert (entry["kind"], entry["request_id"]) == ("sign_out_everywhere", None)


def test_changes_of_the_password_and_wrong_ones_are_recorded(sign_in: Callable[..., Api]):
    client = sign_in()
    path = "/users/me/change-password"
    for wrong in ("Wrong-password-1", "Wrong-password-2"):
        body = {"current_password": wrong, "new_password": NEW}
        client.refused(400, "POST", path, body)
    client.refused(400, "POST", path, {"current_password": PASSWORD, "new_password": "weak"})
    failed, before = entries(client)
    assert (failed["kind"], failed["count"]) == ("password_change_failed", 2)
    assert failed["session"] == before["session"]
    client.post(path, {"current_password": PASSWORD, "new_password": NEW})
    assert kinds(sign_in(NEW)) == [
        *("sign_in", "password_change_failed", "password_changed", "sign_in")
    ]


def test_password_that_was_changed_is_recorded_where_the_sign_out_fails(
    app: Any, sign_in: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
):
    client = sign_in()
    cognito = app.registry["cognito"]
    with monkeypatch.context() as context:
        context.setattr(cognito, "sign_out_everywhere", fail(Unavailable()))
        body = {"current_password": PASSWORD, "new_password": NEW}
        client.refused(503, "POST", "/users/me/change-password", body)
    client.refused(401, "GET", "/users/me")
    assert kinds(sign_in(NEW)) == ["sign_in", "password_changed", "sign_in"]


def test_resets_of_the_password_and_wrong_codes_are_recorded(
    anonymous: Api, email: str, sign_in: Callable[..., Api]
):
    sign_in()
    reset = {"email": email, "new_password": NEW}
    stale = {**reset, "code": "moto-confirmation-code:0"}
    for _ in range(2):
        anonymous.refused(400, "POST", f"{AUTH}/reset-password", stale)
    anonymous.post(f"{AUTH}/forgot-password", {"email": email})
    anonymous.post(f"{AUTH}/reset-password", {**reset, "code": "123456"})
    client = sign_in(NEW)
    assert kinds(client) == ["sign_in", "password_reset_failed", "password_reset", "sign_in"]
    assert entries(client)[2]["count"] == 2


def test_reset_of_the_password_with_a_second_factor_is_recorded(
    app: Any, anonymous: Api, email: str, sign_in: Callable[..., Api], monkeypatch: Any
):
    sign_in()
    monkeypatch.setattr(app.registry["cognito"], "reset_password", lambda **_form: None)
    body = {"email": email, "new_password": NEW, "code": "123456"}
    anonymous.post(f"{AUTH}/reset-password", body)
    assert kinds(sign_in()) == ["sign_in", "password_reset", "sign_in"]


def test_mfa_on_and_off_and_wrong_codes_and_passwords_are_recorded(
    anonymous: Api, email: str, sign_in: Callable[..., Api]
):
    client = sign_in()
    secret = client.post(MFA).json["secret_code"]
    client.refused(400, "POST", f"{MFA}/confirm", {"code": wrong_code(secret)})
    client.post(f"{MFA}/confirm", {"code": code(secret)})
    client.refused(403, "POST", MFA)  # the password is missing, not wrong
    client.refused(400, "POST", MFA, {"password": "Wrong-password-1"})
    client.refused(400, "DELETE", MFA, {"password": "Wrong-password-1"})
    assert kinds(client) == ["sign_in", "mfa_change_failed", "mfa_enabled"]
    assert entries(client)[1]["count"] == 3

    def answer(given: str, status: int) -> None:
        step = anonymous.post(f"{AUTH}/login", {"email": email, "password": PASSWORD}).json
        responses = {"SOFTWARE_TOKEN_MFA_CODE": given}
        body = {"email": email, "challenge_name": TOTP, "session": step["session"]}
        anonymous.call("POST", f"{AUTH}/challenge", {**body, "responses": responses}, status=status)

    answer(wrong_code(secret), 400)
    answer(code(secret), 200)
    client.call("DELETE", MFA, {"password": PASSWORD})
    assert kinds(client)[3:] == ["mfa_failed", "sign_in", "mfa_disabled"]


@pytest.mark.parametrize(
    ("path", "form", "error", "expected"),
    [
        ("login", {"password": "x"}, cognito_errors.wrong_credentials(""), "sign_in_failed"),
        ("login", {"password": "x"}, cognito_errors.attempts_exceeded(""), "sign_in_failed"),
        ("login", {"password": "x"}, cognito_errors.password_reset_required(""), "sign_in_failed"),
        # The session is not one of the account: the password need not have been right.
        ("challenge", {}, cognito_errors.wrong_credentials(""), "sign_in_failed"),
        ("challenge", {}, cognito_errors.wrong_code(""), "mfa_failed"),
        ("mfa/verify", {"code": "123456"}, cognito_errors.wrong_code(""), "sign_in_failed"),
        ("login", {"password": "x"}, cognito_errors.throttled(""), None),
        ("login", {"password": "x"}, Unavailable(), None),
        ("confirm", {"code": "1"}, BadRequest(details={"code": "CODE_MISMATCH"}), None),
        ("verification/confirm", {"code": "1"}, BadRequest(), None),
    ],
)
def test_failed_steps_of_a_sign_in_are_recorded(
    app: Any,
    anonymous: Api,
    email: str,
    sign_in: Callable[..., Api],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    form: dict[str, str],
    error: Any,
    expected: str | None,
):
    client = sign_in()
    body: dict[str, Any] = {"email": f" {email.upper()}", **form}
    if path in ("challenge", "mfa/verify"):
        body["session"] = "s" * 30
    if path == "challenge":
        body |= {"challenge_name": TOTP, "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"}}
    with monkeypatch.context() as context:
        context.setattr(app.registry["cognito"], "_call", fail(error))
        anonymous.call("POST", f"{AUTH}/{path}", body, status=error.status)
    assert kinds(client) == ["sign_in", *([expected] if expected else [])]


def test_changes_in_a_sign_in_are_recorded_also_before_the_tokens(
    app: Any,
    anonymous: Api,
    user_pool: MotoUserPool,
    email: str,
    sign_in: Callable[..., Api],
    monkeypatch: pytest.MonkeyPatch,
):
    client = sign_in()
    tokens = user_pool.server_side.sign_in(email, PASSWORD).tokens
    assert isinstance(tokens, Tokens)
    session = {"email": email, "session": "s" * 30}
    challenge = {
        **session,
        "challenge_name": "NEW_PASSWORD_REQUIRED",
        "responses": {"NEW_PASSWORD": NEW},
    }
    answer = functools.partial(monkeypatch.setattr, app.registry["cognito"])
    answer("answer_challenge", lambda **_form: SignIn(None, "MFA_SETUP", "s" * 30))
    anonymous.post(f"{AUTH}/challenge", challenge)
    assert kinds(client) == ["sign_in"]
    answer("verify_totp_in_sign_in", lambda **_form: SignIn(tokens))
    anonymous.post(f"{AUTH}/mfa/verify", {**session, "code": "123456"})
    assert kinds(client) == ["sign_in", "password_changed", "mfa_enabled", "sign_in"]
    answer("answer_challenge", lambda **_form: SignIn(tokens))
    anonymous.post(f"{AUTH}/challenge", challenge)
    assert kinds(client)[4:] == ["password_changed", "sign_in"]
