"""S3, Cognito or Turnstile refuses, stalls or disconnects: 503 in bounded time, nothing half done,
and recovery without a restart of the server."""

import time
from collections.abc import Callable

import psycopg
import pytest

from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.pool import PASSWORD, Pool
from tests.torture.client import JOB, RESUME, Client, unique
from tests.torture.faults.faults import (
    FAULTS,
    Call,
    Proxies,
    Report,
    all_faults,
    attempted,
    recovered,
    tried,
)
from tests.torture.instance import THREADS, Instance

pytestmark = pytest.mark.torture


@all_faults
def test_s3(client: Client, proxies: Proxies, rows: psycopg.Connection, report: Report, fault: str):
    jobs = [client.make_job() for _ in range(4)]
    waiting, kept, gone, also_gone = (client.upload(job) for job in jobs)
    for job, document in zip(jobs[1:], (kept, gone, also_gone), strict=True):
        assert client.confirm(job, document).status == 200
    confirm = Call("POST", f"{jobs[0]}/documents/confirm-upload", {"document_id": waiting})
    needs_no_s3 = [
        Call("POST", f"{jobs[0]}/documents/presign-upload", RESUME, status=201),
        Call("GET", f"{jobs[1]}/documents/{kept}/presign-download", status=200),
        Call("GET", f"{jobs[0]}/documents", status=200),
        # Their objects wait for their deletion.
        Call("DELETE", f"{jobs[2]}/documents/{gone}", status=204),
        Call("DELETE", jobs[3], status=204),
    ]
    FAULTS[fault](proxies.s3)
    tried(report, "S3", fault, client, [confirm, *needs_no_s3])
    states = {each["id"]: each["status"] for each in client.done("GET", f"{jobs[0]}/documents")}
    assert states[waiting] == "pending"
    proxies.s3.passes()
    recovered(report, "S3", fault, client, [confirm])
    assert report.problems == []


def test_s3_stalls_for_many(client: Client, proxies: Proxies, report: Report):
    """Confirmations do not keep others waiting for longer than one may."""
    jobs = [client.make_job() for _ in range(THREADS)]
    confirmations = [
        Call("POST", f"{job}/documents/confirm-upload", {"document_id": client.upload(job)})
        for job in jobs
    ]
    proxies.s3.stall()
    tried(report, "S3", "stall, of all threads", client, confirmations)
    proxies.s3.passes()
    recovered(report, "S3", "stall, of all threads", client, confirmations)
    assert report.problems == []


def sign_up_call(email: str) -> Call:
    form = {"email": email, "password": PASSWORD, "name": "x", "turnstile_token": DUMMY_TOKEN}
    return Call("POST", "/auth/cognito/signup", form)


def has_account(pool: Pool, email: str) -> bool:
    try:
        pool.client.admin_get_user(UserPoolId=pool.pool_id, Username=email)
    except pool.client.exceptions.UserNotFoundException:
        return False
    return True


@all_faults
def test_cognito(
    client: Client,
    server: Instance,
    proxies: Proxies,
    pool: Pool,
    report: Report,
    fault: str,
):
    email, other_email, new_email = (f"{unique()}@example.com" for _ in range(3))
    tokens, other = pool.user(email, "x"), pool.user(other_email, "x")
    login = {"email": email, "password": PASSWORD}
    calls = [
        Call("POST", "/auth/cognito/login", login),
        Call("POST", "/auth/cognito/refresh", {"refresh_token": tokens.refresh_token}),
        Call("POST", "/auth/cognito/verification/send", {"email": email}),
        sign_up_call(new_email),
    ]
    nothing_asked = [
        Call("POST", "/auth/cognito/logout", {"refresh_token": "x"}, status=200),
        Call("GET", "/jobs", status=200),  # its keys are here
    ]
    them = server.client(other.access_token)
    them.done("GET", "/users/me")
    change = Call(
        "POST",
        "/users/me/change-password",
        {"current_password": PASSWORD, "new_password": PASSWORD + "!"},
    )
    stranger = server.client(pool.user(f"{unique()}@example.com", "x").access_token)
    first = Call("GET", "/users/me")
    for one in calls[:2]:
        assert client.call(one.method, one.path, one.body).status == 200
    FAULTS[fault](proxies.cognito)
    tried(report, "Cognito", fault, client, [*calls, *nothing_asked])
    for who, call in ((them, change), (stranger, first)):
        report.check("Cognito", fault, call, attempted(who, call))
    # What was cut in mid-answer has been done, and what is stuck is done later. Nobody can know.
    in_doubt = fault == "stall" or fault.startswith("cut after")
    assert in_doubt or not has_account(pool, new_email)
    proxies.cognito.passes()
    if in_doubt:
        sign_up = calls.pop()
        assert client.call(sign_up.method, sign_up.path, sign_up.body).status in (200, 409)
    recovered(report, "Cognito", fault, client, calls)
    recovered(report, "Cognito", fault, stranger, [first])
    # One of both passwords is the right one.
    passwords = (PASSWORD, PASSWORD + "!")
    right = [
        password
        for password in passwords
        if client.call(
            "POST", "/auth/cognito/login", {"email": other_email, "password": password}
        ).status
        == 200
    ]
    assert len(right) == 1
    assert in_doubt or right == [PASSWORD]
    for each in (them, stranger):
        each.close()
    assert report.problems == []


@pytest.mark.parametrize("fault", ["refuse", "stall", "cut at once", "cut after 150 B"])
def test_no_keys(
    pserve: Callable[..., Instance],
    through_proxies: dict[str, str],
    proxies: Proxies,
    client: Client,
    report: Report,
    fault: str,
):
    """A server that has not had Cognito's keys since its start."""
    new = pserve(through_proxies)
    them = new.client(client.token)
    FAULTS[fault](proxies.cognito)
    calls = [Call("GET", "/users/me"), Call("POST", "/jobs", JOB), Call("GET", "/jobs")]
    tried(report, "JWKS", fault, them, calls)
    proxies.cognito.passes()
    # As soon as it was told.
    time.sleep(int(them.call("GET", "/users/me").headers.get("Retry-After", 0)))
    recovered(report, "JWKS", fault, them, calls)
    them.close()
    new.kill()
    assert report.problems == []


@all_faults
def test_turnstile(client: Client, proxies: Proxies, pool: Pool, report: Report, fault: str):
    email = f"{unique()}@example.com"
    FAULTS[fault](proxies.turnstile)
    tried(report, "Turnstile", fault, client, [sign_up_call(email)])
    assert not has_account(pool, email)
    proxies.turnstile.passes()
    recovered(report, "Turnstile", fault, client, [sign_up_call(email)])
    assert has_account(pool, email)
    assert report.problems == []
