"""SIGTERM: requests in flight are finished, new ones refused, and the process ends in time."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection

import psycopg
import pytest

from tests.common.proxy import HOST
from tests.torture.client import Answer, Client, fault_of, print_figures, unique
from tests.torture.instance import THREADS, Instance

pytestmark = pytest.mark.torture

SECONDS_LOCKED = 1
SECONDS_TO_END = 5


@pytest.fixture(params=["development.ini", "production.ini"])
def server(request: pytest.FixtureRequest, pserve: Callable[..., Instance]) -> Instance:
    return pserve(ini=request.param)


@pytest.fixture
def client(server: Instance, new_token: Callable[[], str]) -> Iterator[Client]:
    client = server.client(new_token())
    yield client
    client.close()


@contextlib.contextmanager
def locked(database: psycopg.Connection, jobs: list[str], seconds: float) -> Iterator[None]:
    """Lock the rows of the jobs until the end of the block, and some seconds longer."""
    ids = [int(job.rpartition("/")[2]) for job in jobs]
    with database.transaction():
        database.execute("SELECT FROM jobs WHERE id = ANY(%s) FOR UPDATE", [ids])
        yield
        time.sleep(seconds)


def wait_for_lock_waits(settings: dict[str, str], number: int) -> None:
    """Return when so many sessions of the server wait for a lock."""
    question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    deadline = time.monotonic() + 10
    with psycopg.connect(settings["sqlalchemy.url"], autocommit=True) as look:
        while (row := look.execute(question).fetchone()) is None or row[0] < number:
            assert time.monotonic() < deadline, f"{row} wait, not {number}"
            time.sleep(0.02)


def is_refused(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def idle_connection(port: int) -> HTTPConnection:
    """A kept-alive connection after one response."""
    idle = HTTPConnection(HOST, port, timeout=SECONDS_TO_END)
    idle.request("GET", "/health")
    assert b"ok" in idle.getresponse().read()
    assert idle.sock is not None
    return idle


def seconds_until_closed(idle: HTTPConnection) -> float:
    start = time.monotonic()
    with contextlib.closing(idle), contextlib.suppress(ConnectionResetError):
        assert idle.sock.recv(1) == b""
    return time.monotonic() - start


def end(server: Instance) -> float:
    """The seconds until the process has ended, which it must with status 0."""
    assert server.process is not None
    start = time.monotonic()
    assert server.process.wait(SECONDS_TO_END) == 0, server.output()
    return time.monotonic() - start


@pytest.mark.parametrize("requests", [1, THREADS, THREADS + 6])
def test_sigterm_finishes_requests_in_flight(
    server: Instance,
    new_token: Callable[[], str],
    served: dict[str, str],
    database: psycopg.Connection,
    requests: int,
):
    """Each of another user. In the last case some still wait for a thread at the signal."""
    clients = [server.client(new_token()) for _ in range(requests)]
    jobs = [client.make_job() for client in clients]
    titles = [unique("title") for _ in range(requests)]

    def patch(client: Client, job: str, title: str) -> Answer:
        return client.call("PATCH", job, {"job_title": title})

    idle = idle_connection(server.port)
    with ThreadPoolExecutor(requests) as threads:
        with locked(database, jobs, SECONDS_LOCKED):
            answers: list[Future[Answer]] = [
                threads.submit(patch, *each) for each in zip(clients, jobs, titles, strict=True)
            ]
            wait_for_lock_waits(served, min(requests, THREADS))
            time.sleep(0.2)  # the requests without a thread have arrived by now
            assert server.process is not None
            server.process.terminate()
        refused = is_refused(server.port)
        results = [
            (answer.result().status, answer.result().json["job_title"]) for answer in answers
        ]
    assert results == [(200, title) for title in titles]
    seconds = end(server)
    seconds_idle = seconds_until_closed(idle)
    for client, job, title in zip(clients, jobs, titles, strict=True):
        client.close()
        query = "SELECT job_title FROM jobs WHERE id = %s"
        assert database.execute(query, [job.rpartition("/")[2]]).fetchone() == (title,)
    assert refused
    assert is_refused(server.port)
    print_figures(
        f"SIGTERM with {requests} in flight ({server.ini.name}): all answered, ended "
        f"{seconds:.2f} s after the last, idle connection closed {seconds_idle:.2f} s later"
    )


def test_idle_connections_do_not_delay_shutdown(server: Instance):
    idle = [idle_connection(server.port) for _ in range(20)]
    server.process.terminate()  # type: ignore[union-attr]
    seconds = end(server)
    assert max(seconds_until_closed(each) for each in idle) < 1
    assert is_refused(server.port)
    print_figures(
        f"SIGTERM with 20 idle connections ({server.ini.name}): ended after {seconds:.2f} s"
    )


def test_stalled_request_does_not_delay_shutdown_beyond_its_limit(
    server: Instance, client: Client, served: dict[str, str], database: psycopg.Connection
):
    """A request that waits for a lock is refused with 503."""
    job = client.make_job()
    start = time.monotonic()
    with ThreadPoolExecutor(1) as threads, locked(database, [job], 0):
        stuck = threads.submit(client.call, "PATCH", job, {"job_title": unique()})
        wait_for_lock_waits(served, 1)
        assert server.process is not None
        server.process.terminate()
        end(server)
        seconds = time.monotonic() - start
    assert fault_of(stuck.result()) is None
    print_figures(
        f"SIGTERM with a request that is stuck ({server.ini.name}): ended in {seconds:.2f} s"
    )
