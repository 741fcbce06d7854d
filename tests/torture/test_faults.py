"""When a dependency refuses, stalls, or hangs up in mid-answer: 503 in bounded time, nothing half
done, and all is well by itself once it is back.
"""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
import urllib3

from jobtracker.local.aws import Aws
from jobtracker.local.postgres import SOCKET, Postgres
from jobtracker.local.turnstile import DUMMY_TOKEN, LocalTurnstile
from tests.common.pool import PASSWORD, Pool
from tests.common.proxy import HOST, Proxy
from tests.torture.client import JOB, RESUME, Answer, Client, at_once, fault_of, tell, unique
from tests.torture.conftest import migrate
from tests.torture.instance import THREADS, Instance

pytestmark = pytest.mark.torture

SECONDS_TO_REFUSE = 5
SECONDS_TO_RECOVER = 30

Fault = Callable[[Proxy], None]
FAULTS: dict[str, Fault] = {
    "refuse": lambda proxy: proxy.refuse(),
    "stall": lambda proxy: proxy.stall(),
    "lost": lambda proxy: proxy.stall(lost=True),
    "cut at once": lambda proxy: proxy.cut(),
    "cut after 1 B": lambda proxy: proxy.cut(after=1),
    "cut after 150 B": lambda proxy: proxy.cut(after=150),
}
all_faults = pytest.mark.parametrize("fault", FAULTS)


class Call(NamedTuple):
    """A request, and what its status must be while something is out of order."""

    method: str
    path: str
    body: Any = None
    status: int = 503
    key: str | None = None

    @property
    def name(self) -> str:
        """Without ids."""
        words = ("{id}" if word.isdigit() else word for word in self.path.split("/"))
        return f"{self.method} {'/'.join(words)}"


class Report:
    """What was seen, as a table, and what should not have been."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.problems: list[str] = []

    def add(self, part: str, fault: str, what: str, status: str, seconds: float) -> None:
        self.rows.append((part, fault, what, status, f"{seconds:.2f}"))

    def check(self, part: str, fault: str, call: Call, answer: Answer | Exception) -> None:
        where = f"{part}, {fault}, {call.name}"
        if isinstance(answer, Exception):
            self.add(part, fault, call.name, type(answer).__name__, 0)
            self.problems.append(f"{where}: {answer!r}")
            return
        self.add(part, fault, call.name, str(answer.status), answer.seconds)
        if call.status < 400:
            if answer.status != call.status:
                self.problems.append(f"{where}: {answer.status}, not {call.status}")
        elif wrong := fault_of(answer, call.status):
            self.problems.append(f"{where}: {wrong}")
        if answer.seconds > SECONDS_TO_REFUSE:
            self.problems.append(f"{where}: took {answer.seconds:.2f} s")

    def lines(self) -> Iterator[str]:
        rows = [("part", "fault", "endpoint", "status", "seconds"), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield "  ".join(cells).rstrip()


@pytest.fixture(scope="module")
def table() -> Iterator[Report]:
    """All of the module's rows."""
    report = Report()
    yield report
    tell(*report.lines())


@pytest.fixture
def report(table: Report) -> Iterator[Report]:
    """One test's problems, and the rows of all."""
    mine = Report()
    yield mine
    table.rows += mine.rows


@pytest.fixture(scope="module")
def fragile(folder: Any) -> Iterator[Postgres]:
    """A PostgreSQL that nobody else needs."""
    server = Postgres(folder / "fragile", folder / "fragile.log")
    server.start()
    yield server
    server.stop()


class Proxies(NamedTuple):
    postgres: Proxy
    s3: Proxy
    cognito: Proxy
    turnstile: Proxy


@pytest.fixture(scope="module")
def proxies(fragile: Postgres, aws: Aws, turnstile: LocalTurnstile) -> Iterator[Proxies]:
    with (
        Proxy(fragile.socket_folder / SOCKET) as postgres,
        Proxy((HOST, aws.port)) as s3,
        Proxy((HOST, aws.port)) as cognito,
        Proxy((HOST, turnstile.port)) as verifier,
    ):
        yield Proxies(postgres, s3, cognito, verifier)


@pytest.fixture(scope="module")
def through_proxies(fragile: Postgres, proxies: Proxies) -> dict[str, str]:
    """Settings of a server all of whose dependencies are behind proxies."""
    migrate(fragile.make_database("faults"))
    return {
        "sqlalchemy.url": f"postgresql://postgres@{HOST}:{proxies.postgres.port}/faults",
        "s3.endpoint_url": proxies.s3.url,
        "cognito.endpoint_url": proxies.cognito.url,
        "turnstile.url": f"{proxies.turnstile.url}/siteverify",
    }


@pytest.fixture(scope="module")
def server(pserve: Callable[..., Instance], through_proxies: dict[str, str]) -> Instance:
    return pserve(through_proxies)


@pytest.fixture
def client(server: Instance, proxies: Proxies, someone: Callable[[], str]) -> Iterator[Client]:
    """A client of a server that is well, and has warm connections."""
    client = server.client(someone())
    client.done("GET", "/users/me")
    assert {answer.status for answer in at_once([reading(client)] * (2 * THREADS))} == {200}
    yield client
    for proxy in proxies:
        proxy.passes()
    client.close()


@pytest.fixture
def rows(fragile: Postgres, server: Instance) -> Iterator[psycopg.Connection]:
    """A look into the database, past proxy and server."""
    with psycopg.connect(fragile.url("faults"), autocommit=True) as connection:
        yield connection


def reading(client: Client) -> Callable[[], Answer]:
    return functools.partial(client.call, "GET", "/jobs")


def attempted(client: Client, call: Call) -> Answer | Exception:
    try:
        return client.call(call.method, call.path, call.body, key=call.key)
    except urllib3.exceptions.HTTPError as error:
        return error


def tried(report: Report, part: str, fault: str, client: Client, calls: list[Call]) -> None:
    """All calls at once, while something is out of order; /health minds nothing."""
    health = Call("GET", "/health", status=200)
    answers = at_once([functools.partial(attempted, client, call) for call in [*calls, health]])
    for call, answer in zip([*calls, health], answers, strict=True):
        report.check(part, fault, call, answer)


def recovered(report: Report, part: str, fault: str, client: Client, calls: list[Call]) -> None:
    """All calls again and again until each has succeeded: how many failed on the way."""
    start = time.monotonic()
    failed = 0
    while calls:
        answers = at_once([functools.partial(attempted, client, call) for call in calls])
        calls = [
            call
            for call, answer in zip(calls, answers, strict=True)
            if isinstance(answer, Exception) or answer.status >= 300
        ]
        failed += len(calls)
        if calls and time.monotonic() - start > SECONDS_TO_RECOVER:
            report.problems.append(f"{part}, {fault}: {calls[0].name} does not recover: {answers}")
            break
        time.sleep(0.1 if calls else 0)
    report.add(part, fault, "(it is back) all", f"{failed} failed", time.monotonic() - start)
    if failed:
        report.problems.append(f"{part}, {fault}: {failed} requests failed after it was back")


class OfDatabase(NamedTuple):
    """What a client does that needs PostgreSQL: one request for each thread of the server."""

    client: Client
    rows: psycopg.Connection
    job: str
    title: str
    calls: list[Call]

    @classmethod
    def of(cls, client: Client, rows: psycopg.Connection) -> "OfDatabase":
        job, title = client.make_job(), unique("title")
        note = client.done("POST", f"{job}/notes", {"body": "x"})["id"]
        calls = [
            Call("GET", "/users/me"),
            Call("GET", "/jobs"),
            Call("GET", job),
            Call("POST", "/jobs", {**JOB, "job_title": title}, key=unique()),
            Call("PATCH", job, {"company_name": title, "job_title": title}),
            Call("POST", f"{job}/notes", {"body": title}, key=unique()),
            Call("DELETE", f"{job}/notes/{note}"),
            Call("POST", f"{job}/documents/presign-upload", RESUME, key=unique()),
        ]
        return cls(client, rows, job, title, calls)

    @property
    def last(self) -> list[Call]:
        """What is to succeed in the end. A note that may be gone already cannot be deleted."""
        return [call for call in self.calls if call.method != "DELETE"]

    def counted(self) -> dict[str, int]:
        """How often each of the effects is there."""
        questions = {
            "POST": "SELECT count(*) FROM jobs WHERE job_title = %(title)s AND id != %(id)s",
            "company": "SELECT count(*) FROM jobs WHERE company_name = %(title)s AND id = %(id)s",
            "title": "SELECT count(*) FROM jobs WHERE job_title = %(title)s AND id = %(id)s",
            "note": "SELECT count(*) FROM notes WHERE body = %(title)s",
            "document": "SELECT count(*) FROM documents WHERE application_id = %(id)s",
        }
        parameters = {"title": self.title, "id": int(self.job.rpartition("/")[2])}
        counted = {}
        for name, question in questions.items():
            (count,) = self.rows.execute(question, parameters).fetchone() or (0,)
            counted[name] = count
        return counted


def of_database(client: Client, rows: psycopg.Connection) -> OfDatabase:
    return OfDatabase.of(client, rows)


@all_faults
def test_postgres(
    client: Client, proxies: Proxies, rows: psycopg.Connection, report: Report, fault: str
):
    work = of_database(client, rows)
    FAULTS[fault](proxies.postgres)
    tried(report, "PostgreSQL", fault, client, work.calls)
    assert set(work.counted().values()) == {0}  # nothing of what was refused
    proxies.postgres.passes()
    recovered(report, "PostgreSQL", fault, client, work.last)
    assert set(work.counted().values()) == {1}
    assert report.problems == []


@pytest.mark.parametrize("after", [200, 400, 600, 800, 1000, 1200, 1500, 2000])
def test_postgres_hangs_up_at_any_moment(
    client: Client, proxies: Proxies, rows: psycopg.Connection, report: Report, after: int
):
    """Even in the answer to COMMIT. Then a refusal may be wrong, but nothing is there by half, and
    who asks again with the same key does not make it twice."""
    work = of_database(client, rows)
    proxies.postgres.cut(after)
    calls = [call for call in work.calls if call.method != "GET"]
    answers = at_once([functools.partial(attempted, client, call) for call in calls])
    for call, answer in zip(calls, answers, strict=True):
        status = answer.status if isinstance(answer, Answer) else 503
        expected = call._replace(status=503 if status >= 300 else status)
        report.check("PostgreSQL", f"cut after {after} B", expected, answer)
    counted = work.counted()
    assert counted["company"] == counted["title"]
    assert set(counted.values()) <= {0, 1}
    proxies.postgres.passes()
    recovered(report, "PostgreSQL", f"cut after {after} B", client, work.last)
    assert set(work.counted().values()) == {1}
    assert report.problems == []


@pytest.mark.parametrize("fault", ["refuse", "cut at once", "restart"])
def test_postgres_was_gone_while_nobody_asked(
    client: Client,
    fragile: Postgres,
    proxies: Proxies,
    rows: psycopg.Connection,
    report: Report,
    fault: str,
):
    work = of_database(client, rows)
    assert proxies.postgres.open_connections > 0
    if fault == "restart":
        rows.close()
        fragile.stop()
        fragile.start()
    else:
        FAULTS[fault](proxies.postgres)
        proxies.postgres.passes()
    recovered(report, "PostgreSQL", f"{fault}, unseen", client, work.last)
    assert report.problems == []


def test_postgres_is_restarted(
    client: Client, fragile: Postgres, rows: psycopg.Connection, report: Report
):
    work = of_database(client, rows)
    rows.close()
    fragile.stop()
    tried(report, "PostgreSQL", "stopped", client, work.calls)
    fragile.start()
    recovered(report, "PostgreSQL", "stopped", client, work.last)
    assert report.problems == []


def test_postgres_is_read_only(client: Client, rows: psycopg.Connection, report: Report):
    work = of_database(client, rows)
    rows.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    rows.execute("SELECT pg_reload_conf()")
    try:
        time.sleep(0.5)  # until all sessions have heard of it
        reads = [call._replace(status=200) for call in work.calls if call.method == "GET"]
        writes = [call for call in work.calls if call.method != "GET"]
        tried(report, "PostgreSQL", "read-only", client, reads + writes)
        assert set(work.counted().values()) == {0}
    finally:
        rows.execute("SET default_transaction_read_only = off")
        rows.execute("ALTER SYSTEM RESET default_transaction_read_only")
        rows.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)
    recovered(report, "PostgreSQL", "read-only", client, work.last)
    assert set(work.counted().values()) == {1}
    assert report.problems == []


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
