"""S3, Cognito or Turnstile refuses, stalls or disconnects: 503 in bounded time, nothing half done,
and recovery without a restart of the server."""

import functools
import time
from collections.abc import Callable

import psycopg
import pytest

from jobtracker.local.turnstile import DUMMY_TOKEN
from tests.common.concurrency import run_concurrently
from tests.common.user_pool import PASSWORD, MotoUserPool
from tests.torture.client import JOB, RESUME, Client, unique
from tests.torture.faults.faults import (
    FAULTS,
    Call,
    Proxies,
    Report,
    all_faults,
    attempt,
    call_during_fault,
    call_until_recovered,
)
from tests.torture.instance import THREADS, Instance

pytestmark = pytest.mark.torture


@all_faults
def test_fault_of_s3_answers_503_and_recovers(
    client: Client, proxies: Proxies, rows: psycopg.Connection, report: Report, fault: str
):
    jobs = [client.make_job() for _ in range(4)]
    waiting, kept, gone, also_gone = (client.upload(job) for job in jobs)
    for job, document in zip(jobs[1:], (kept, gone, also_gone), strict=True):
        assert client.confirm(job, document).status == 200
    confirm = Call("POST", f"{jobs[0]}/documents/confirm-upload", {"document_id": waiting})
    needs_no_s3 = [
        Call("POST", f"{jobs[0]}/documents/presign-upload", RESUME, status=201),
        Call("GET", f"{jobs[1]}/documents/{kept}/presign-download", status=200),
        Call("GET", f"{jobs[0]}/documents", status=200),
        # The deletion of their objects is repeated later.
        Call("DELETE", f"{jobs[2]}/documents/{gone}", status=204),
        Call("DELETE", jobs[3], status=204),
    ]
    FAULTS[fault](proxies.s3)
    call_during_fault(report, "S3", fault, client, [confirm, *needs_no_s3])
    states = {each["id"]: each["status"] for each in client.done("GET", f"{jobs[0]}/documents")}
    assert states[waiting] == "pending"
    proxies.s3.forward()
    call_until_recovered(report, "S3", fault, client, [confirm])
    assert report.problems == []


def test_stalled_s3_answers_all_confirmations_in_bounded_time(
    client: Client, server: Instance, new_token: Callable[[], str], proxies: Proxies, report: Report
):
    """As many confirmations of different users as threads do not delay others beyond the limit."""
    clients = [server.client(new_token()) for _ in range(THREADS)]
    calls = []
    for each in clients:
        job = each.make_job()
        path = f"{job}/documents/confirm-upload"
        calls.append(Call("POST", path, {"document_id": each.upload(job)}))
    proxies.s3.stall()
    health = Call("GET", "/health", status=200)
    answers = run_concurrently(
        [
            functools.partial(attempt, each, call)
            for each, call in zip([*clients, client], [*calls, health], strict=True)
        ]
    )
    for call, answer in zip([*calls, health], answers, strict=True):
        report.check("S3", "stall, of all threads", call, answer)
    proxies.s3.forward()
    for each, call in zip(clients, calls, strict=True):
        call_until_recovered(report, "S3", "stall, of all threads", each, [call])
        each.close()
    assert report.problems == []


def sign_up_call(email: str) -> Call:
    form = {"email": email, "password": PASSWORD, "name": "x", "turnstile_token": DUMMY_TOKEN}
    return Call("POST", "/auth/cognito/signup", form)


def has_account(user_pool: MotoUserPool, email: str) -> bool:
    try:
        user_pool.client.admin_get_user(UserPoolId=user_pool.pool_id, Username=email)
    except user_pool.client.exceptions.UserNotFoundException:
        return False
    return True


@all_faults
def test_fault_of_cognito_answers_503_and_recovers(
    client: Client,
    server: Instance,
    proxies: Proxies,
    user_pool: MotoUserPool,
    report: Report,
    fault: str,
):
    email, other_email, new_email = (f"{unique()}@example.com" for _ in range(3))
    tokens, other = user_pool.user(email, "x"), user_pool.user(other_email, "x")
    login = {"email": email, "password": PASSWORD}
    calls = [
        Call("POST", "/auth/cognito/login", login),
        Call("POST", "/auth/cognito/refresh", {"refresh_token": tokens.refresh_token}),
        Call("POST", "/auth/cognito/verification/send", {"email": email}),
        sign_up_call(new_email),
    ]
    # The JWKS is cached.
    without_cognito = [Call("GET", "/jobs", status=200)]
    logout = Call("POST", "/auth/cognito/logout", {"refresh_token": "x"}, status=200)
    other_client = server.client(other.access_token)
    other_client.done("GET", "/users/me")
    change = Call(
        "POST",
        "/users/me/change-password",
        {"current_password": PASSWORD, "new_password": PASSWORD + "!"},
    )
    new_client = server.client(user_pool.user(f"{unique()}@example.com", "x").access_token)
    first = Call("GET", "/users/me")
    for one in calls[:2]:
        assert client.call(one.method, one.path, one.body).status == 200
    FAULTS[fault](proxies.cognito)
    call_during_fault(report, "Cognito", fault, client, [*calls, *without_cognito])
    leaving = server.client(user_pool.user(f"{unique()}@example.com", "x").access_token)
    for client_, call in ((leaving, logout), (other_client, change), (new_client, first)):
        report.check("Cognito", fault, call, attempt(client_, call))
    # A call whose response was cut has been executed; a stalled one may be executed later.
    in_doubt = fault == "stall" or fault.startswith("cut after")
    assert in_doubt or not has_account(user_pool, new_email)
    proxies.cognito.forward()
    if in_doubt:
        sign_up = calls.pop()
        assert client.call(sign_up.method, sign_up.path, sign_up.body).status in (200, 409)
    call_until_recovered(report, "Cognito", fault, client, calls)
    call_until_recovered(report, "Cognito", fault, new_client, [first])
    # Exactly one of the two passwords is valid.
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
    for each in (leaving, other_client, new_client):
        each.close()
    assert report.problems == []


@pytest.mark.parametrize("fault", ["refuse", "stall", "cut at once", "cut after 150 B"])
def test_missing_jwks_answers_503_and_recovers(
    pserve: Callable[..., Instance],
    through_proxies: dict[str, str],
    proxies: Proxies,
    client: Client,
    report: Report,
    fault: str,
):
    """A server that has not fetched the JWKS yet."""
    new = pserve(through_proxies)
    other_client = new.client(client.token)
    FAULTS[fault](proxies.cognito)
    calls = [Call("GET", "/users/me"), Call("POST", "/jobs", JOB), Call("GET", "/jobs")]
    call_during_fault(report, "JWKS", fault, other_client, calls)
    proxies.cognito.forward()
    # After the Retry-After of the last response.
    time.sleep(int(other_client.call("GET", "/users/me").headers.get("Retry-After", 0)))
    call_until_recovered(report, "JWKS", fault, other_client, calls)
    other_client.close()
    new.kill()
    assert report.problems == []


@all_faults
def test_fault_of_turnstile_answers_503_and_recovers(
    client: Client, proxies: Proxies, user_pool: MotoUserPool, report: Report, fault: str
):
    email = f"{unique()}@example.com"
    FAULTS[fault](proxies.turnstile)
    call_during_fault(report, "Turnstile", fault, client, [sign_up_call(email)])
    assert not has_account(user_pool, email)
    proxies.turnstile.forward()
    call_until_recovered(report, "Turnstile", fault, client, [sign_up_call(email)])
    assert has_account(user_pool, email)
    assert report.problems == []
