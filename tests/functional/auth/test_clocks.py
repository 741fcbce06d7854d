"""A clock that differs from Cognito's: nobody is locked out, and revocation is exact."""

import time
from email.utils import formatdate
from typing import Any

import pytest
from botocore.stub import Stubber

from jobtracker.auth.clock import CognitoClock
from jobtracker.auth.cognito import UserPool
from jobtracker.auth.tokens import LEEWAY
from tests.common.api import Api
from tests.common.app import forget_tokens
from tests.common.user_pool import MotoUserPool

BEHIND = [30, 300, 3600]  # seconds by which this machine's clock is behind Cognito's


@pytest.fixture(autouse=True)
def clock(
    app: Any, stubbed_cognito_client: UserPool, monkeypatch: pytest.MonkeyPatch
) -> CognitoClock:
    """The clock of a new process."""
    clock = CognitoClock()
    for client in (app.registry["cognito"], app.registry["access_tokens"], stubbed_cognito_client):
        monkeypatch.setattr(client, "clock", clock)
    return clock


@pytest.fixture
def sub(ada: Api, user_pool: MotoUserPool) -> str:
    ada.get("/users/me")
    return str(user_pool.client.get_user(AccessToken=ada.token)["Username"])


def token_of(user_pool: MotoUserPool, sub: str, ahead: int, **claims: Any) -> str:
    """A token that Cognito issues now, by its own clock."""
    now = int(time.time()) + ahead
    times = {"iat": now, "auth_time": now, "exp": now + 900}
    return user_pool.token(sub=sub, **{**times, **claims})


@pytest.mark.parametrize("ahead", BEHIND)
def test_token_that_is_issued_in_the_future_is_valid(
    ada: Api, sub: str, user_pool: MotoUserPool, ahead: int, caplog: pytest.LogCaptureFixture
):
    for number in range(3):
        client = ada.signed_in(token_of(user_pool, sub, ahead, jti=str(number)))
        client.get("/users/me", status=200)
        client.get("/jobs", status=200)
    warnings = [record for record in caplog.records if "clock" in record.getMessage()]
    assert len(warnings) == 1
    assert "seconds behind Cognito's" in warnings[0].getMessage()


def test_token_of_a_clock_that_differs_by_less_is_not_logged(
    ada: Api, sub: str, user_pool: MotoUserPool, caplog: pytest.LogCaptureFixture
):
    for ahead in (-60, 0, 3):
        ada.signed_in(token_of(user_pool, sub, ahead)).get("/jobs", status=200)
    assert "clock" not in caplog.text


@pytest.mark.parametrize(
    ("seconds", "status"), [(60, 200), (-LEEWAY + 5, 200), (-LEEWAY - 5, 401), (-3600, 401)]
)
def test_exp_remains_a_bound_with_a_leeway(
    ada: Api, sub: str, user_pool: MotoUserPool, seconds: int, status: int
):
    expired = token_of(user_pool, sub, 0, exp=int(time.time()) + seconds)
    ada.signed_in(expired).call("GET", "/jobs", status=status)


@pytest.mark.parametrize("ahead", [0, *BEHIND])
def test_sign_out_everywhere_revokes_the_tokens_that_are_issued_in_the_future(
    ada: Api,
    sub: str,
    app: Any,
    user_pool: MotoUserPool,
    monkeypatch: pytest.MonkeyPatch,
    ahead: int,
):
    here, there = (ada.signed_in(token_of(user_pool, sub, ahead, jti=each)) for each in "ab")
    there.get("/jobs")
    monkeypatch.setattr(app.registry["cognito"], "sign_out_everywhere", lambda _token: None)
    here.post("/users/me/sign-out-everywhere", status=200)
    again = ada.signed_in(token_of(user_pool, sub, ahead, jti="c"))
    for _ in range(2):
        here.refused(401, "GET", "/jobs")
        there.refused(401, "GET", "/jobs")
        again.get("/jobs", status=200)
        forget_tokens(app)


@pytest.mark.parametrize("ahead", [*BEHIND, 3, -3, -30, -300])
def test_revocation_is_by_the_clock_of_cognitos_response(
    ada: Api, sub: str, app: Any, cognito: Stubber, user_pool: MotoUserPool, ahead: int
):
    """No token of the other session was seen by this process."""
    forget_tokens(app)
    here, there = (ada.signed_in(token_of(user_pool, sub, ahead, jti=each)) for each in "ab")
    here.get("/jobs")
    date = formatdate(time.time() + ahead, usegmt=True)
    metadata = {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}
    cognito.add_response("change_password", metadata)
    cognito.add_response("global_sign_out", metadata)
    passwords = {"current_password": "x", "new_password": "y"}
    here.post("/users/me/change-password", passwords, status=200)
    there.refused(401, "GET", "/jobs")
    here.refused(401, "GET", "/jobs")
    ada.signed_in(token_of(user_pool, sub, ahead + 1)).get("/jobs", status=200)
