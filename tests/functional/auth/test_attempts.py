"""Failed attempts to sign in are limited by account, and lock nobody else's owner out."""

from collections.abc import Callable
from typing import Any

import limits
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from webtest import TestApp

from jobtracker.auth.cognito import UserPool
from jobtracker.auth.queries import MAX_NETWORKS
from jobtracker.auth.sign_in import SignIn
from jobtracker.errors import BadRequest, Unavailable
from tests.common.api import Api, statuses
from tests.common.app import new_rate_limiter
from tests.common.concurrency import repeat_concurrently
from tests.common.user_pool import PASSWORD, MotoUserPool

AUTH = "/auth/cognito"
LOGIN = f"{AUTH}/login"
EMAIL = "ada@example.com"
RIGHT = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": f" {EMAIL.upper()}", "password": "Wrong-password-1"}
HOME, AWAY = "192.0.2.1", "198.51.100.1"


@pytest.fixture
def rates(app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_rates(**rates: str) -> None:
        for name, value in rates.items():
            rate = limits.parse_many(value)
            monkeypatch.setitem(app.registry.settings, f"rate_limits.{name}", rate)

    set_rates(auth_by_account="3/day", auth_total_by_account="5/day", mails_by_account="4/day")
    set_rates(auth_by_session="1000/day")
    return set_rates


@pytest.fixture
def at(ada: Api, rates: Any) -> Callable[[str], Api]:
    """A client at an address, which is not signed in."""
    return lambda address: Api(TestApp(ada.app.app, extra_environ={"REMOTE_ADDR": address}))


def attempt(api: Api, path: str, body: Any) -> int:
    return api.call("POST", f"{AUTH}/{path}", body, status="*").status_code


def fail_everywhere(at: Callable[[str], Api], path: str, body: Any, count: int = 8) -> list[int]:
    """The statuses of a request from many addresses."""
    return [attempt(at(f"203.0.113.{number}"), path, body) for number in range(count)]


def test_failures_from_an_address_beyond_the_limit_answer_429(at: Callable[[str], Api]):
    stranger = at(AWAY)
    assert [attempt(stranger, "login", WRONG) for _ in range(4)] == [401, 401, 401, 429]
    answer = stranger.call("POST", LOGIN, RIGHT, status=429)
    assert int(answer.headers["Retry-After"]) > 0
    assert attempt(stranger, "login", {**WRONG, "email": "bob@example.com"}) == 401


def test_a_stranger_does_not_lock_the_owner_out(at: Callable[[str], Api], ada: Api):
    stranger = at(AWAY)
    assert [attempt(stranger, "login", WRONG) for _ in range(24)] == [401] * 3 + [429] * 21
    # Neither at an address that is not known yet, nor in other operations.
    assert attempt(at(HOME), "login", RIGHT) == 200
    assert attempt(at(HOME), "forgot-password", {"email": EMAIL}) == 200
    assert attempt(stranger, "forgot-password", {"email": EMAIL}) == 200
    passwords = {"current_password": "Wrong-password-1", "new_password": PASSWORD}
    ada.refused(400, "POST", "/users/me/change-password", passwords)
    ada.post("/users/me/mfa")


def test_failures_from_many_addresses_are_limited_but_not_at_the_owners(at: Callable[[str], Api]):
    assert attempt(at(HOME), "login", RIGHT) == 200
    assert fail_everywhere(at, "login", WRONG) == [401] * 5 + [429] * 3
    assert attempt(at(AWAY), "login", RIGHT) == 429
    for _ in range(4):
        assert attempt(at(HOME), "login", RIGHT) == 200
    # The owner's address has its own limit.
    assert [attempt(at(HOME), "login", WRONG) for _ in range(4)] == [401, 401, 401, 429]
    assert attempt(at(HOME), "login", RIGHT) == 429


def test_an_address_is_known_for_one_account_only(
    at: Callable[[str], Api], user_pool: MotoUserPool
):
    user_pool.user("bob@example.com", "Bob")
    assert attempt(at(HOME), "login", {**RIGHT, "email": "bob@example.com"}) == 200
    fail_everywhere(at, "login", WRONG)
    assert attempt(at(HOME), "login", WRONG) == 429


def test_an_ipv6_network_is_known_by_any_of_its_addresses(at: Callable[[str], Api]):
    assert attempt(at("2001:db8::1"), "login", RIGHT) == 200
    fail_everywhere(at, "login", WRONG)
    assert attempt(at("2001:db8::2"), "login", RIGHT) == 200
    assert attempt(at("2001:db8:0:1::1"), "login", RIGHT) == 429


def test_an_address_is_known_for_thirty_days(at: Callable[[str], Api], db: Session):
    assert attempt(at(HOME), "login", RIGHT) == 200
    fail_everywhere(at, "login", WRONG)
    for days, status in ((29, 200), (31, 429)):
        update = "UPDATE sign_in_networks SET signed_in_at = now() - make_interval(days => :days)"
        db.execute(text(update), {"days": days})
        db.commit()
        assert attempt(at(HOME), "login", RIGHT) == status


def test_the_known_addresses_of_an_account_are_bounded_and_hashed(
    at: Callable[[str], Api], db: Session
):
    for number in range(MAX_NETWORKS + 5):
        assert attempt(at(f"192.0.2.{number}"), "login", RIGHT) == 200
        # As if it was some time ago: within the test's transaction, time stands still.
        db.execute(text("UPDATE sign_in_networks SET signed_in_at = signed_in_at - interval '1h'"))
        db.commit()
    rows = db.execute(text("SELECT * FROM sign_in_networks")).all()
    assert len(rows) == MAX_NETWORKS
    assert {len(row.network_hash) for row in rows} == {32}
    fail_everywhere(at, "login", WRONG)
    assert attempt(at("192.0.2.0"), "login", RIGHT) == 429
    assert attempt(at(f"192.0.2.{MAX_NETWORKS + 4}"), "login", RIGHT) == 200


def test_successes_do_not_count(at: Callable[[str], Api]):
    assert [attempt(at(AWAY), "login", RIGHT) for _ in range(8)] == [200] * 8


CODE = {"email": EMAIL, "code": "123456"}
GUESSES: dict[str, Any] = {
    "login": WRONG,
    "challenge": {
        "email": EMAIL,
        "challenge_name": "SOFTWARE_TOKEN_MFA",
        "session": "s" * 30,
        "responses": {"SOFTWARE_TOKEN_MFA_CODE": "123456"},
    },
    "mfa/verify": {**CODE, "session": "s" * 30},
    "confirm": CODE,
    "reset-password": {**CODE, "new_password": PASSWORD},
}


@pytest.fixture
def refusing(at: Any, app: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Lets all of Cognito's operations raise an error."""

    def refuse(error: Exception) -> None:
        def call(*_args: Any, **_parameters: Any) -> None:
            raise error

        monkeypatch.setattr(app.registry["cognito"], "_call", call)

    return refuse


def test_concurrent_failures_do_not_exceed_the_limit(
    at: Callable[[str], Api], refusing: Callable[[Exception], None], monkeypatch: pytest.MonkeyPatch
):
    # The threads would share the connection of the test.
    monkeypatch.setattr("jobtracker.auth.attempts.is_known_network", lambda _request: False)
    monkeypatch.setattr("jobtracker.auth.views._check_writable", lambda _request: None)
    refusing(BadRequest())
    answers = repeat_concurrently(lambda _number: attempt(at(AWAY), "confirm", CODE), 12)
    assert sorted(answers) == [400] * 3 + [429] * 9


@pytest.mark.parametrize("path", GUESSES)
def test_each_operation_has_limits_of_its_own(
    at: Callable[[str], Api], refusing: Callable[[Exception], None], path: str
):
    refusing(BadRequest())
    for other in GUESSES.keys() - {path}:
        fail_everywhere(at, other, GUESSES[other])
    assert fail_everywhere(at, path, GUESSES[path]) == [400] * 5 + [429] * 3
    assert attempt(at(AWAY), path, GUESSES[path]) == 429


def test_the_two_paths_of_confirmation_share_a_limit(
    at: Callable[[str], Api], refusing: Callable[[Exception], None]
):
    refusing(BadRequest(details={"code": "CODE_MISMATCH"}))
    answers = [attempt(at(AWAY), path, CODE) for path in ("confirm", "verification/confirm") * 2]
    assert answers == [400, 400, 400, 429]


@pytest.mark.parametrize(
    "error", [Unavailable(), BadRequest(details={"code": "WEAK_PASSWORD", "violations": ["x"]})]
)
def test_errors_that_are_no_wrong_guesses_do_not_count(
    at: Callable[[str], Api], refusing: Callable[[Exception], None], error: Any
):
    refusing(error)
    for _ in range(8):
        assert attempt(at(AWAY), "reset-password", GUESSES["reset-password"]) == error.status


def test_answer_to_which_the_same_challenge_follows_is_a_failure(
    at: Callable[[str], Api], app: Any, monkeypatch: pytest.MonkeyPatch
):
    following = SignIn(None, "CUSTOM_CHALLENGE", "s" * 30)
    monkeypatch.setattr(app.registry["cognito"], "answer_challenge", lambda **_form: following)
    for name, expected in (("CUSTOM_CHALLENGE", [200, 200, 200, 429]), ("OTHER", [200] * 4)):
        monkeypatch.setitem(app.registry, "rate_limiter", new_rate_limiter())
        body = {**GUESSES["challenge"], "challenge_name": name}
        assert [attempt(at(AWAY), "challenge", body) for _ in range(4)] == expected


class Mailing(UserPool):
    """A user pool that counts the codes that it sends."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def resend_confirmation_code(self, email: str) -> None:
        self.sent.append(email)

    def forgot_password(self, email: str) -> None:
        self.sent.append(email)


@pytest.mark.parametrize("path", ["forgot-password", "verification/send"])
def test_no_more_codes_are_sent_than_the_limit_but_from_the_owners_address(
    at: Callable[[str], Api], app: Any, monkeypatch: pytest.MonkeyPatch, path: str
):
    assert attempt(at(HOME), "login", RIGHT) == 200
    cognito = Mailing()
    monkeypatch.setitem(app.registry, "cognito", cognito)
    body = {"email": EMAIL}
    assert fail_everywhere(at, path, body) == [200] * 8
    assert len(cognito.sent) == 4
    first = at(AWAY).call("POST", f"{AUTH}/{path}", body)
    assert len(cognito.sent) == 4
    second = at(HOME).call("POST", f"{AUTH}/{path}", body)
    assert len(cognito.sent) == 5
    assert first.body == second.body
    assert [attempt(at(HOME), path, body) for _ in range(3)] == [200, 200, 429]
    assert statuses([first, second]) == [200, 200]


def test_a_reset_with_the_code_makes_the_address_known(
    at: Callable[[str], Api], app: Any, monkeypatch: pytest.MonkeyPatch
):
    fail_everywhere(at, "login", WRONG)
    assert attempt(at(HOME), "login", RIGHT) == 429
    with monkeypatch.context() as context:
        context.setattr(app.registry["cognito"], "reset_password", lambda **_form: None)
        assert attempt(at(HOME), "reset-password", GUESSES["reset-password"]) == 200
    assert attempt(at(HOME), "login", RIGHT) == 200
    assert attempt(at(AWAY), "login", RIGHT) == 429
