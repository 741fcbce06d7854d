"""Rate limits: 429 with Retry-After, by address, account and user."""

import socket
from collections.abc import Iterator
from typing import Any

import limits
import pytest
from webtest import TestApp

from jobtracker.http.rate_limits import MemoryRateLimiter, RateLimiter
from jobtracker.logs import outages
from jobtracker.settings import read
from tests.common.api import Api
from tests.common.user_pool import PASSWORD

LOGIN = "/auth/cognito/login"
RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}


@pytest.fixture
def rates(app: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets a rate."""

    def set_rate(name: str, value: str) -> None:
        for setting, text in {f"rate_limits.{name}": value}.items():
            required = {
                "sqlalchemy.url": "postgresql://x/x",
                "cognito.region": "us-east-1",
                "cognito.user_pool_id": "us-east-1_x",
                "cognito.client_id": "x",
                "s3.region": "us-east-1",
                "s3.bucket": "xxx",
            }
            typed = read({**required, setting: text})[setting]
            monkeypatch.setitem(app.registry.settings, setting, typed)

    return set_rate


def wrong(email: str) -> dict[str, str]:
    return {"email": email, "password": "Wrong-password-1"}


def at(api: Api, address: str) -> Api:
    """The same client from another address."""
    return Api(TestApp(api.app.app, extra_environ={"REMOTE_ADDR": address}), api.token)


def test_requests_of_an_address_beyond_the_limit_answer_429(anonymous: Api, rates: Any):
    rates("auth_by_address", "3/minute")
    for number in range(3):
        anonymous.refused(401, "POST", LOGIN, wrong(f"{number}@example.com"))
    answer = anonymous.call("POST", LOGIN, wrong("3@example.com"), status=429)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    anonymous.refused(429, "POST", "/auth/cognito/refresh", {"refresh_token": "x"})
    anonymous.post("/auth/cognito/logout", {"refresh_token": "x"}, status=200)
    at(anonymous, "192.0.2.9").refused(401, "POST", LOGIN, wrong("3@example.com"))


def test_changes_of_the_password_beyond_the_limit_answer_429(ada: Api, bob: Api, rates: Any):
    rates("auth_by_account", "2/day")
    passwords = {"current_password": "Wrong-password-1", "new_password": PASSWORD}
    for _ in range(2):
        ada.refused(400, "POST", "/users/me/change-password", passwords)
    ada.refused(429, "POST", "/users/me/change-password", passwords)
    bob.refused(400, "POST", "/users/me/change-password", passwords)
    assert ada.refused(400, "DELETE", "/users/me/mfa", {"password": "Wrong-password-1"})


def test_requests_of_a_user_beyond_the_limit_answer_429(
    app: Any, ada: Api, bob: Api, rates: Any, monkeypatch: pytest.MonkeyPatch
):
    rates("requests_by_user", "3/day")
    monkeypatch.setitem(
        app.registry, "memory_rate_limiter", MemoryRateLimiter(app.registry.settings)
    )
    ada.get("/jobs")
    ada.get("/users/me")
    ada.refused(404, "GET", "/jobs/1")
    for method, path in (("GET", "/jobs"), ("GET", "/users/me"), ("DELETE", "/jobs/1")):
        ada.refused(429, method, path)
    key = {"Idempotency-Key": "x"}
    ada.refused(404, "POST", "/nothing", headers=key)
    ada.refused(429, "POST", "/jobs/1/notes", {"body": "x"}, headers=key)
    bob.get("/jobs")


@pytest.mark.parametrize(
    ("path", "bodies"),
    [
        ("/jobs", [{"company_name": "Acme", "job_title": "x"}] * 3),
        ("/saved-views", [{"name": f"View {number}", "data": {}} for number in range(3)]),
    ],
)
def test_what_a_user_makes_and_deletes_has_a_limit(
    app: Any,
    ada: Api,
    bob: Api,
    rates: Any,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    bodies: list[dict[str, Any]],
):
    rates("creations_by_user", "2/day")
    monkeypatch.setitem(
        app.registry, "memory_rate_limiter", MemoryRateLimiter(app.registry.settings)
    )
    for body in bodies[:2]:
        ada.delete(ada.post(path, body, status=201).headers["Location"])
    ada.refused(429, "POST", path, bodies[2])
    ada.get(path)
    bob.post(path, bodies[2], status=201)


def test_imports_of_a_user_beyond_the_limit_answer_429(ada: Api, bob: Api, rates: Any):
    rates("imports_by_user", "3/day")
    body = {"filename": "x.zip", "size_bytes": 1}
    path = ada.post("/imports", body, status=201).headers["Location"]
    ada.refused(409, "POST", f"{path}/check")
    ada.refused(409, "POST", f"{path}/run", {})
    ada.refused(429, "POST", f"{path}/check")
    ada.refused(429, "POST", f"{path}/run", {})
    ada.refused(429, "POST", "/imports", body)
    bob.post("/imports", body, status=201)


def test_x_forwarded_for_of_an_untrusted_client_is_ignored(anonymous: Api, rates: Any):
    rates("auth_by_address", "3/minute")
    for number in range(4):
        anonymous.refused(
            401 if number < 3 else 429,
            *("POST", LOGIN, wrong(f"{number}@example.com")),
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        )


def test_uploads_and_notes_of_a_user_beyond_the_limit_answer_429(ada: Api, bob: Api, rates: Any):
    rates("presign_by_user", "2/minute")
    rates("notes_by_user", "2/minute")
    jobs = [
        f"/jobs/{api.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"
        for api in (ada, bob)
    ]
    for path, body in {"documents/presign-upload": RESUME, "notes": {"body": "x"}}.items():
        for _ in range(2):
            ada.post(f"{jobs[0]}/{path}", body, status=201)
        ada.refused(429, "POST", f"{jobs[0]}/{path}", body)
        bob.post(f"{jobs[1]}/{path}", body, status=201)
    assert len(ada.get(f"{jobs[0]}/notes").json) == 2


def test_confirmations_of_a_user_beyond_the_limit_answer_429(ada: Api, bob: Api, rates: Any):
    rates("confirm_by_user", "2/minute")
    confirmation = {"document_id": 999_999}
    jobs = [
        f"/jobs/{api.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"
        for api in (ada, bob)
    ]
    path = "documents/confirm-upload"
    for _ in range(2):
        ada.refused(404, "POST", f"{jobs[0]}/{path}", confirmation)
    ada.refused(429, "POST", f"{jobs[0]}/{path}", confirmation)
    bob.refused(404, "POST", f"{jobs[1]}/{path}", confirmation)


def test_invalid_request_does_not_count(ada: Api, rates: Any):
    rates("notes_by_user", "1/minute")
    job = f"/jobs/{ada.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"
    ada.refused(422, "POST", f"{job}/notes", {"body": ""})
    ada.post(f"{job}/notes", {"body": "x"}, status=201)


class Clock:
    """A clock that the test sets, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def unused_port() -> Iterator[int]:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_limiter_without_redis_counts_in_memory(unused_port: int, caplog: pytest.LogCaptureFixture):
    pytest.importorskip("redis")
    clock = Clock()
    limiter = RateLimiter(f"redis://127.0.0.1:{unused_port}", clock)
    rate = limits.parse("2/minute")
    assert [limiter.hit(rate, "x", "ada") > 0 for _ in range(3)] == [False, False, True]
    assert limiter.hit(rate, "x", "bob") == 0
    assert caplog.text.count("counted by this process alone") == 1
    clock.now = 60
    outages.forget()
    limiter.hit(rate, "x", "bob")
    assert caplog.text.count("counted by this process alone") == 2


def test_ipv6_addresses_of_one_network_share_a_limit(anonymous: Api, rates: Any):
    rates("auth_by_address", "1/minute")
    at(anonymous, "2001:db8::1").refused(401, "POST", LOGIN, wrong("1@example.com"))
    at(anonymous, "2001:db8::2").refused(429, "POST", LOGIN, wrong("2@example.com"))
    at(anonymous, "2001:db8:0:1::1").refused(401, "POST", LOGIN, wrong("3@example.com"))
