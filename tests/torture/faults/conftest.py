"""A server process all of whose dependencies are behind proxies."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from jobtracker.local.aws import Aws
from jobtracker.local.postgres import SOCKET, Postgres
from jobtracker.local.turnstile import LocalTurnstile
from tests.common.concurrency import run_concurrently
from tests.common.proxy import HOST, Proxy
from tests.torture.client import Client, print_figures
from tests.torture.database import migrate
from tests.torture.faults.faults import Proxies, Report, reading
from tests.torture.instance import THREADS, Instance


@pytest.fixture(scope="module")
def table() -> Iterator[Report]:
    """The rows of the module, printed at its end."""
    report = Report()
    yield report
    print_figures(*report.lines())


@pytest.fixture
def report(table: Report) -> Iterator[Report]:
    """The rows and problems of one test."""
    mine = Report()
    yield mine
    table.rows += mine.rows


@pytest.fixture(scope="module")
def dedicated_postgres(folder: Any) -> Iterator[Postgres]:
    """A PostgreSQL server for this module alone."""
    server = Postgres(folder / "dedicated", folder / "dedicated.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxies(dedicated_postgres: Postgres, aws: Aws, turnstile: LocalTurnstile) -> Iterator[Proxies]:
    with (
        Proxy(dedicated_postgres.socket_folder / SOCKET) as postgres,
        Proxy((HOST, aws.port)) as s3,
        Proxy((HOST, aws.port)) as cognito,
        Proxy((HOST, turnstile.server_port)) as verifier,
    ):
        yield Proxies(postgres, s3, cognito, verifier)


@pytest.fixture(scope="module")
def through_proxies(dedicated_postgres: Postgres, proxies: Proxies) -> dict[str, str]:
    """Settings of a server all of whose dependencies are behind proxies."""
    migrate(dedicated_postgres.make_database("faults"))
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
def client(server: Instance, proxies: Proxies, new_token: Callable[[], str]) -> Iterator[Client]:
    """A client of a healthy server with open connections."""
    client = server.client(new_token())
    client.done("GET", "/users/me")
    answers = run_concurrently([reading(client)] * (2 * THREADS))
    assert {answer.status for answer in answers} == {200}
    yield client
    for proxy in proxies:
        proxy.forward()
    client.close()


@pytest.fixture
def rows(dedicated_postgres: Postgres, server: Instance) -> Iterator[psycopg.Connection]:
    """A direct connection to the database."""
    with psycopg.connect(dedicated_postgres.url("faults"), autocommit=True) as connection:
        yield connection
