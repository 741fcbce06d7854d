"""Access tokens after a change of password, a sign-out, and the end of the account."""

import datetime
import functools
import time
from collections.abc import Callable
from typing import Any

import jwt
import limits
import pytest
from botocore.stub import Stubber
from pyramid.scripting import prepare
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from jobtracker.auth.cognito import UserPool
from jobtracker.auth.sign_in import SignIn, Tokens
from jobtracker.pshell import setup
from jobtracker.sweep import sweep
from jobtracker.users.resources import next_second
from tests.common.api import Api
from tests.common.user_pool import PASSWORD, MotoUserPool

AUTH = "/auth/cognito"
JOB = {"company_name": "Acme", "job_title": "Engineer"}
NEW = "Hopper-1906-x"


def always(result: Any) -> Callable[..., Any]:
    return lambda **_arguments: result


@pytest.fixture
def sign_in(anonymous: Api, email: str) -> Callable[..., Any]:
    """Signs in, and returns the tokens."""

    def post(password: str = PASSWORD) -> Any:
        login = {"email": email, "password": password}
        return anonymous.post(f"{AUTH}/login", login).json["tokens"]

    return post


def assert_valid(anonymous: Api, tokens: dict[str, str]) -> None:
    client = anonymous.signed_in(tokens["access_token"])
    client.get("/users/me")
    client.post("/jobs", JOB)


def assert_revoked(anonymous: Api, tokens: dict[str, str], path: str = "/jobs/1") -> None:
    client = anonymous.signed_in(tokens["access_token"])
    client.refused(401, "GET", "/users/me")
    client.refused(401, "POST", "/jobs", JOB)
    client.refused(401, "PATCH", path, {"status": "offer"})
    client.refused(401, "GET", "/users/me/mfa")


def change_password(client: Api, _email: str) -> str:
    passwords = {"current_password": PASSWORD, "new_password": NEW}
    client.post("/users/me/change-password", passwords)
    return NEW


def reset_password(client: Api, email: str) -> str:
    body = {"email": email, "code": "123456", "new_password": NEW}
    client.post(f"{AUTH}/reset-password", body)
    return NEW


def sign_out_everywhere(client: Api, _email: str) -> str:
    answer = client.post("/users/me/sign-out-everywhere", status=200)
    assert answer.json.keys() == {"message"}
    return PASSWORD


@pytest.mark.parametrize("revoke", [change_password, reset_password, sign_out_everywhere])
def test_all_tokens_of_the_user_are_revoked_but_those_of_the_next_sign_in(
    anonymous: Api, bob: Api, email: str, sign_in: Any, revoke: Callable[[Api, str], str]
):
    here, there = sign_in(), sign_in()
    client = anonymous.signed_in(here["access_token"])
    path = f"/jobs/{client.post('/jobs', JOB).json['id']}"
    etag = client.get(path).headers["ETag"]
    bob.get("/users/me")
    password = revoke(client, email)
    again = sign_in(password)
    for tokens in (here, there):
        assert_revoked(anonymous, tokens, path)
        body = {"refresh_token": tokens["refresh_token"]}
        anonymous.refused(401, "POST", f"{AUTH}/refresh", body)
    client.refused(401, "GET", path, headers={"If-None-Match": etag})
    assert_valid(anonymous, again)
    assert_valid(anonymous, {"access_token": bob.token or ""})


def test_sign_out_with_a_refresh_token_revokes_the_tokens_of_this_session_alone(
    anonymous: Api, sign_in: Any
):
    here, there = sign_in(), sign_in()
    body = {"refresh_token": here["refresh_token"]}
    refreshed = anonymous.post(f"{AUTH}/refresh", body).json["tokens"]
    assert_valid(anonymous, refreshed)
    anonymous.post(f"{AUTH}/logout", body)
    assert_revoked(anonymous, here)
    assert_revoked(anonymous, refreshed)
    assert_valid(anonymous, there)
    anonymous.refused(401, "POST", f"{AUTH}/refresh", body)


def test_sign_out_with_an_access_token_revokes_the_tokens_of_this_session_alone(
    anonymous: Api, sign_in: Any
):
    here, there = sign_in(), sign_in()
    for _ in range(2):
        anonymous.signed_in(here["access_token"]).post(f"{AUTH}/logout")
    assert_revoked(anonymous, here)
    assert_valid(anonymous, there)


def test_sign_out_revokes_all_tokens_where_the_user_pool_has_no_token_revocation(
    anonymous: Api, user_pool: MotoUserPool, sign_in: Any
):
    claims = jwt.decode(sign_in()["access_token"], options={"verify_signature": False})
    tokens = {"access_token": user_pool.token(sub=claims["sub"])}
    assert_valid(anonymous, tokens)
    anonymous.signed_in(tokens["access_token"]).post(f"{AUTH}/logout")
    assert_revoked(anonymous, tokens)


def test_sign_out_revokes_rotated_refresh_tokens(
    anonymous: Api, app: Any, sign_in: Any, monkeypatch: pytest.MonkeyPatch
):
    here = sign_in()
    revoked: list[str] = []
    rotated = SignIn(Tokens(here["access_token"], here["id_token"], "rotated", 3600))
    monkeypatch.setattr(app.registry["cognito"], "refresh", lambda _token: rotated)
    monkeypatch.setattr(app.registry["cognito"], "revoke", revoked.append)
    anonymous.post(f"{AUTH}/logout", {"refresh_token": "given"})
    assert revoked == ["given", "rotated"]
    assert_revoked(anonymous, here)


def test_refreshed_token_of_a_sign_in_before_the_revocation_is_refused(
    anonymous: Api,
    app: Any,
    user_pool: MotoUserPool,
    sign_in: Any,
    db: Session,
    monkeypatch: pytest.MonkeyPatch,
):
    """Cognito's refresh keeps auth_time; moto's does not."""
    here = sign_in()
    claims = jwt.decode(here["access_token"], options={"verify_signature": False})
    db.execute(text("UPDATE users SET tokens_valid_from = now() - interval '1 minute'"))
    db.commit()
    old, new = (
        user_pool.token(sub=claims["sub"], auth_time=int(time.time()) - ago) for ago in (90, 30)
    )
    for token, status in ((old, 401), (new, 200)):
        answered = SignIn(Tokens(token, here["id_token"], "x", 3600))
        monkeypatch.setattr(app.registry["cognito"], "refresh", always(answered))
        body = {"refresh_token": "x"}
        anonymous.call("POST", f"{AUTH}/refresh", body, status=status)
        anonymous.signed_in(token).call("GET", "/jobs", status=status)


def test_deletion_of_the_account_revokes_all_tokens_once_cognito_tells(
    anonymous: Api, user_pool: MotoUserPool, email: str, sign_in: Any
):
    here, there = sign_in(), sign_in()
    user_pool.client.admin_delete_user(UserPoolId=user_pool.pool_id, Username=email)
    anonymous.signed_in(here["access_token"]).refused(401, "GET", "/users/me/mfa")
    for tokens in (here, there):
        assert_revoked(anonymous, tokens)


@pytest.mark.parametrize(
    ("name", "message", "all_revoked"),
    [
        ("UserNotFoundException", "User does not exist.", True),
        ("NotAuthorizedException", "User is disabled.", True),
        ("NotAuthorizedException", "Access Token has been revoked", False),
    ],
)
def test_token_that_cognito_has_revoked_is_revoked(
    anonymous: Api,
    app: Any,
    sign_in: Any,
    stubbed_cognito_client: UserPool,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    message: str,
    all_revoked: bool,
):
    here, there = sign_in(), sign_in()
    monkeypatch.setitem(app.registry, "cognito", stubbed_cognito_client)
    with Stubber(stubbed_cognito_client.client) as stubber:
        stubber.add_client_error("change_password", name, message)
        passwords = {"current_password": PASSWORD, "new_password": NEW}
        client = anonymous.signed_in(here["access_token"])
        client.refused(401, "POST", "/users/me/change-password", passwords)
    assert_revoked(anonymous, here)
    (assert_revoked if all_revoked else assert_valid)(anonymous, there)


def test_another_process_sees_a_revocation_at_once(client: Api, engine: Engine):
    """The application has cached the token and the response; the revocation is in the database."""
    path = f"/jobs/{client.post('/jobs', JOB).json['id']}"
    etag = client.get(path).headers["ETag"]
    with engine.begin() as connection:
        update = text("UPDATE users SET tokens_valid_from = :moment")
        connection.execute(update, {"moment": next_second(time.time())})
    client.refused(401, "GET", path)
    client.refused(401, "GET", path, headers={"If-None-Match": etag})
    client.refused(401, "POST", "/jobs", JOB)


def test_later_revocation_is_not_moved_back(anonymous: Api, sign_in: Any, email: str, db: Session):
    client = anonymous.signed_in(sign_in()["access_token"])
    client.get("/users/me")
    later = next_second(time.time()) + datetime.timedelta(hours=1)
    db.execute(text("UPDATE users SET tokens_valid_from = :later"), {"later": later})
    db.commit()
    reset_password(client, email)
    valid_from = text("SELECT tokens_valid_from FROM users WHERE email = :email")
    assert db.execute(valid_from, {"email": email}).scalar() == later


def test_sign_out_works_beyond_the_rate_of_requests(
    anonymous: Api, app: Any, sign_in: Any, db: Session, monkeypatch: pytest.MonkeyPatch
):
    session = anonymous.signed_in(sign_in()["access_token"])
    rate = limits.parse_many("1/day")
    monkeypatch.setitem(app.registry.settings, "rate_limits.requests_by_user", rate)
    session.get("/jobs")
    session.refused(429, "GET", "/jobs")
    session.post(f"{AUTH}/logout")
    assert db.scalar(text("SELECT count(*) FROM revoked_sessions")) == 1


def test_sweep_deletes_revocations_of_expired_tokens(
    anonymous: Api, app: Any, sign_in: Any, db: Session
):
    anonymous.signed_in(sign_in()["access_token"]).post(f"{AUTH}/logout")
    count = functools.partial(db.scalar, text("SELECT count(*) FROM revoked_sessions"))
    sweep(app.registry)
    assert count() == 1
    db.execute(text("UPDATE revoked_sessions SET revoked_at = now() - interval '32 days'"))
    db.commit()
    sweep(app.registry)
    assert count() == 0


def test_pshell_signs_a_user_out_everywhere(anonymous: Api, app: Any, email: str, sign_in: Any):
    tokens = sign_in()
    env = prepare(registry=app.registry)
    manager = setup(env)
    next(manager)
    env["act_as"](email)
    env["root"]["users"]["me"].sign_out_everywhere()
    env["commit"]()
    env["root"]["jobs"].create(**JOB)
    next(manager, None)
    env["closer"]()
    assert_revoked(anonymous, tokens)


def test_requests_with_a_revoked_token_do_not_count_as_the_users(
    anonymous: Api, app: Any, sign_in: Any, monkeypatch: pytest.MonkeyPatch
):
    rates = limits.parse_many("20/day")
    monkeypatch.setitem(app.registry.settings, "rate_limits.requests_by_user", rates)
    stolen, own = sign_in()["access_token"], sign_in()["access_token"]
    anonymous.signed_in(stolen).get("/users/me")
    anonymous.signed_in(stolen).post(f"{AUTH}/logout")
    for _ in range(25):
        anonymous.signed_in(stolen).refused(401, "GET", "/jobs")
    anonymous.signed_in(own).get("/jobs")
    # Nor are they queued among the user's.
    target = {"REMOTE_ADDR": "192.0.2.1", "REQUEST_METHOD": "GET", "PATH_INFO": "/jobs"}
    stranger, user = (
        app.registry["user_of"]({**target, "HTTP_AUTHORIZATION": f"Bearer {token}"})
        for token in (stolen, own)
    )
    assert stranger != user
