"""What both systems run against: PostgreSQL, a database with rows, and a user pool."""

# ruff: noqa: S603 (programs of fixed names)

import contextlib
import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg

from benchmarks import ini
from benchmarks.dataset import Dataset, insert_rows
from benchmarks.user_pool import CLIENT_ID, ISSUER, POOL_ID, REGION, UserPool
from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres
from tests.common.pgbouncer import PgBouncer

# docs/poolers.md
ROLE = "pooled"
SESSION_SETTINGS = {
    "statement_timeout": "3s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
    "TimeZone": "UTC",
}
BEHIND_PGBOUNCER = {"sqlalchemy.session_settings": "role", "sqlalchemy.prepare": "false"}


@dataclass(frozen=True)
class Environment:
    """A temporary folder, the servers, and one migrated database."""

    folder: Path
    postgres: Postgres
    user_pool: UserPool
    database_url: str
    dataset: Dataset
    # In front of PostgreSQL for both systems, if there is one.
    pgbouncer: PgBouncer | None = None

    @property
    def server_url(self) -> str:
        """The database's URL for both systems."""
        if self.pgbouncer is None:
            return self.database_url
        return self.pgbouncer.url(Path(urlsplit(self.database_url).path).name, ROLE)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of production.ini and the twin."""
        return {
            **dict.fromkeys(ini.variables(), "benchmark"),
            "DATABASE_URL": self.server_url,
            "AWS_REGION": REGION,
            "COGNITO_USER_POOL_ID": POOL_ID,
            "COGNITO_CLIENT_ID": CLIENT_ID,
            "CORS_ORIGINS": "https://app.example.com",
            "JWKS_URL": self.user_pool.jwks_url,
            "ISSUER": ISSUER,
            **({"PGBOUNCER": "true"} if self.pgbouncer else {}),
        }

    @property
    def settings(self) -> dict[str, str]:
        """The settings of ``[app:main]`` that differ from production.ini."""
        return {
            "cognito.endpoint_url": self.user_pool.url,
            "rate_limits.requests_by_user": "1000000/second",
            "rate_limits.creations_by_user": "1000000/second",
            "sqlalchemy.migrations_url": self.database_url,
            **(BEHIND_PGBOUNCER if self.pgbouncer else {}),
        }

    def token_of(self, user: int, **claims: str) -> str:
        """An access token of a user."""
        return self.user_pool.token(self.dataset.cognito_sub(user), **claims)


@contextlib.contextmanager
def start_environment(readers: int, *, pgbouncer: bool = False) -> Iterator[Environment]:
    """Start everything in a temporary folder, and stop and remove it at the end.

    :param readers: as in :class:`Dataset`
    :param pgbouncer: whether both systems connect by PgBouncer, in transaction mode
    """
    folder = Path(tempfile.mkdtemp(prefix="jobtracker-benchmarks-"))
    # A quarter of the memory, the recommendation for a dedicated server; the default is 128 MB:
    # https://www.postgresql.org/docs/current/runtime-config-resource.html
    options = {"shared_buffers": f"{psutil.virtual_memory().total // 4 // 2**20}MB"}
    postgres = Postgres(folder / "data", folder / "postgres.log", options)
    user_pool = UserPool()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        postgres.start()
        stack.callback(postgres.stop)
        user_pool.start()
        stack.callback(user_pool.stop)
        pooler = stack.enter_context(_pgbouncer(postgres)) if pgbouncer else None
        environment = Environment(folder, postgres, user_pool, "", Dataset(0), pooler)
        yield with_database(environment, "jobs", Dataset(readers))


@contextlib.contextmanager
def _pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        # Another one than that which inserts the rows, without time-outs.
        connection.execute(f"CREATE ROLE {ROLE} LOGIN SUPERUSER")
        for name, value in SESSION_SETTINGS.items():
            connection.execute(f"ALTER ROLE {ROLE} SET {name} = '{value}'")
    # PgBouncer's user has to enter all folders above its own.
    folder = Path(tempfile.mkdtemp(prefix="jobtracker-pgbouncer-"))
    folder.chmod(0o755)
    pgbouncer = PgBouncer(
        folder / "pgbouncer",
        postgres,
        free_port(),
        pool_mode="transaction",
        users=("postgres", ROLE),
    )
    try:
        pgbouncer.start()
        yield pgbouncer
    finally:
        pgbouncer.stop()
        shutil.rmtree(folder)


def with_database(environment: Environment, name: str, dataset: Dataset) -> Environment:
    """The same environment with another database, which is created, migrated and filled."""
    url = environment.postgres.make_database(name)
    other = dataclasses.replace(environment, database_url=url, dataset=dataset)
    migrate(other)
    insert_rows(url, dataset)
    return other


def migrate(environment: Environment) -> None:
    """Migrate the database to the newest schema.

    :raises RuntimeError: with Alembic's output when it fails
    """
    file = ini.derive(
        environment.folder / "alembic.ini", app=environment.settings, port=free_port(), workers=1
    )
    done = subprocess.run(
        [Path(sys.executable).parent / "alembic", "-c", file, "upgrade", "head"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment.variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"alembic failed: {done.stdout}{done.stderr}")


def free_port() -> int:
    """A TCP port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
