"""Server processes on a PostgreSQL with full durability and on MiniStack."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from jobtracker.local.aws import Aws
from jobtracker.local.postgres import Postgres
from jobtracker.settings import SETTINGS
from tests.common.proxy import HOST, Proxy
from tests.common.server import free_port
from tests.common.timeouts import with_default_timeouts
from tests.common.user_pool import REGION, MotoUserPool
from tests.torture.client import Client, unique
from tests.torture.database import migrate
from tests.torture.instance import Instance

# Rates that no test reaches.
UNLIMITED = {
    setting.name: "1000000/second"
    for setting in SETTINGS
    if setting.name.startswith("rate_limits.") and setting.name != "rate_limits.storage"
}


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    # Not below pytest's folder, which PostgreSQL's own user cannot enter.
    made = Path(tempfile.mkdtemp(prefix="jobtracker-torture-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL server with its default durability."""
    server = Postgres(folder / "postgres", folder / "postgres.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def aws(folder: Path) -> Iterator[Aws]:
    """A MiniStack."""
    emulator = Aws(folder, REGION, free_port())
    emulator.start()
    process = emulator.process
    yield emulator
    emulator.stop()
    if process and process.stdin:
        process.stdin.close()


@pytest.fixture
def url(postgres: Postgres) -> str:
    """A migrated database for one test."""
    url = postgres.make_database(unique("torture"))
    migrate(url)
    return url


@pytest.fixture
def rows(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A direct connection to the database of one test."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def own_bucket(aws: Aws) -> str:
    """A bucket for one test."""
    name = unique("torture")
    aws.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3_proxy(aws: Aws) -> Iterator[Proxy]:
    """A proxy before S3."""
    with Proxy((HOST, aws.port)) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def served(settings: dict[str, str]) -> dict[str, str]:
    """The settings of a server on a migrated database, without rate limits, and with the default
    time-outs."""
    migrate(settings["sqlalchemy.url"])
    return {**with_default_timeouts(settings), **UNLIMITED}


@pytest.fixture(scope="module")
def pserve(folder: Path, served: dict[str, str]) -> Iterator[Callable[..., Instance]]:
    """Starts a server with some settings changed; all are killed at the end of the module."""
    instances = []

    def start(changes: dict[str, str] | None = None, **options: Any) -> Instance:
        own = Path(tempfile.mkdtemp(prefix="server-", dir=folder))
        instance = Instance(own, {**served, **(changes or {})}, **options)
        instances.append(instance)
        instance.start()
        return instance

    yield start
    for instance in instances:
        instance.kill()


@pytest.fixture(scope="session")
def new_token(user_pool: MotoUserPool) -> Callable[[], str]:
    """Returns the access token of a new account, without a row in the database."""
    numbers = itertools.count()
    return lambda: user_pool.user(f"new_token-{next(numbers)}@example.com", "Someone").access_token


@pytest.fixture
def sign_in(server: Instance, new_token: Callable[[], str]) -> Iterator[Callable[[], Client]]:
    """Creates a client of a new user, of the module's fixture ``server``."""
    made: list[Client] = []

    def client() -> Client:
        made.append(server.client(new_token()))
        return made[-1]

    yield client
    for each in made:
        each.close()


@pytest.fixture
def database(postgres: Postgres, served: dict[str, str]) -> Iterator[psycopg.Connection]:
    """A direct connection to the database."""
    with psycopg.connect(served["sqlalchemy.url"], autocommit=True) as connection:
        yield connection
