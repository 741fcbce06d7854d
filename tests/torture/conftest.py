"""What is tortured: server processes, on a PostgreSQL that loses nothing and on MiniStack, each of
which is a process of its own."""

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
from tests.common.pool import Pool
from tests.common.server import free_port
from tests.conftest import REGION
from tests.torture.database import migrate
from tests.torture.instance import Instance

# A test is no person: what it finds out is not to be how often it may ask.
UNLIMITED = {
    f"rate_limits.{what}": "1000000/second"
    for what in ("auth_by_address", "auth_by_account", "presign_by_user", "notes_by_user")
}


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    # Not under pytest's own folder: as root, PostgreSQL's user must be able to get there.
    made = Path(tempfile.mkdtemp(prefix="jobtracker-torture-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL as it is by itself: what is committed is on disk."""
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


@pytest.fixture(scope="session")
def served(settings: dict[str, str]) -> dict[str, str]:
    """The settings of a server on a migrated database, without limits of rate in the way."""
    migrate(settings["sqlalchemy.url"])
    return {**settings, **UNLIMITED}


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
def someone(pool: Pool) -> Callable[[], str]:
    """The access token of a new account, whom the server does not know yet."""
    numbers = itertools.count()
    return lambda: pool.user(f"someone-{next(numbers)}@example.com", "Someone").access_token


@pytest.fixture
def database(postgres: Postgres, served: dict[str, str]) -> Iterator[psycopg.Connection]:
    """A look into the database, past the server."""
    with psycopg.connect(served["sqlalchemy.url"], autocommit=True) as connection:
        yield connection
