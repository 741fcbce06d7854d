"""Forty clients behind PgBouncer in transaction mode: no errors, and each reads what it wrote."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import psycopg
import pytest

from jobtracker.local.postgres import Postgres
from jobtracker.local.process import wait_until
from tests.common.pooled import IS_INSTALLED, REASON, ROLE, make_pooled_database, run_pgbouncer
from tests.torture.client import JOB, print_figures
from tests.torture.instance import Instance

pytestmark = [pytest.mark.torture, pytest.mark.skipif(not IS_INSTALLED, reason=REASON)]

CLIENTS = 40
SECONDS = int(os.environ.get("TORTURE_SECONDS", "30"))
SESSIONS = 10  # of PgBouncer


def test_forty_clients_behind_pgbouncer(
    postgres: Postgres,
    settings: dict[str, str],
    pserve: Callable[..., Instance],
    new_token: Callable[[], str],
):
    url = make_pooled_database(postgres, settings, "pooled_load")
    options = {"default_pool_size": str(SESSIONS)}
    with run_pgbouncer(postgres, "transaction", options) as pgbouncer:
        server = pserve(
            {
                "sqlalchemy.url": pgbouncer.url("pooled_load", ROLE),
                "sqlalchemy.session_settings": "role",
                "sqlalchemy.prepare": "false",
                "sqlalchemy.idle_timeout": "1",
            },
            ini="production.ini",
        )
        tokens = [new_token() for _ in range(CLIENTS)]
        end = time.monotonic() + SECONDS
        with ThreadPoolExecutor(CLIENTS) as threads:
            done = list(
                threads.map(lambda each: use(server, each[1], each[0], end), enumerate(tokens))
            )
        most = len(connections(server, pgbouncer.port))
        assert wait_until(lambda: len(connections(server, pgbouncer.port)) <= 2 * workers(), 10)
        with psycopg.connect(url) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'pooled_load'"
            row = connection.execute(query).fetchone()
    assert row is not None
    print_figures(
        f"{CLIENTS} clients for {SECONDS} s behind PgBouncer: {sum(done) / SECONDS:.0f} requests/s,"
        f" {row[0] - 1} sessions, {most} connections that became {2 * workers()} at most"
    )
    assert min(done) > 0
    assert row[0] - 1 <= SESSIONS


def connections(server: Instance, port: int) -> list[Any]:
    """The connections of the server's processes to a port."""
    assert server.process is not None
    main = psutil.Process(server.process.pid)
    processes = [main, *main.children(recursive=True)]
    found = (each for process in processes for each in process.net_connections("tcp"))
    return [each for each in found if each.raddr and each.raddr.port == port]


def workers() -> int:
    """As many as production.ini has by default."""
    return len(os.sched_getaffinity(0))


def use(server: Instance, token: str, number: int, end: float) -> int:
    """Write and read back until the time is over; the number of requests."""
    client = server.client(token)
    requests = rounds = 0
    companies: set[str] = set()
    while time.monotonic() < end:
        rounds += 1
        company = f"{number}-{rounds}"
        key = company if rounds % 2 else None
        job = client.done("POST", "/jobs", {**JOB, "company_name": company}, key=key)
        path = f"/jobs/{job['id']}"
        client.done("POST", f"{path}/notes", {"body": company})
        client.done("PATCH", path, {"location": company})
        read = client.done("GET", path)
        assert (read["company_name"], read["location"]) == (company, company)
        assert [note["body"] for note in read["notes"]] == [company]
        assert read["created_at"].endswith("Z")
        companies.add(company)
        assert {each["company_name"] for each in client.done("GET", "/jobs")} == companies
        found = client.done("GET", f"/jobs/search?q={company}")
        assert company in str(found)
        requests += 6
        if rounds % 10 == 0:
            client.done("DELETE", path)
            companies.remove(company)
            client.done("GET", "/jobs/board")
            requests += 2
    client.close()
    return requests
