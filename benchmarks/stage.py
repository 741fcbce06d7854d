"""What both sides stand on: one PostgreSQL, durable as it comes, its rows, and a user pool."""

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

import psutil

from benchmarks import ini
from benchmarks.data import Rows, fill
from benchmarks.pool import CLIENT_ID, ISSUER, POOL_ID, REGION, TokenPool
from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres


@dataclass(frozen=True)
class Stage:
    """Where everything is."""

    folder: Path
    postgres: Postgres
    pool: TokenPool
    database_url: str
    rows: Rows

    @property
    def environment(self) -> dict[str, str]:
        """What production.ini and the twin take from the environment."""
        return {
            **dict.fromkeys(ini.variables(), "benchmark"),
            "DATABASE_URL": self.database_url,
            "AWS_REGION": REGION,
            "COGNITO_USER_POOL_ID": POOL_ID,
            "COGNITO_CLIENT_ID": CLIENT_ID,
            "CORS_ORIGINS": "https://app.example.com",
            "JWKS_URL": self.pool.jwks_url,
            "ISSUER": ISSUER,
        }

    @property
    def settings(self) -> dict[str, str]:
        """What is other than in production.ini."""
        return {"cognito.endpoint_url": self.pool.url}

    def token_of(self, user: int) -> str:
        return self.pool.token(self.rows.cognito_sub(user))


@contextlib.contextmanager
def stage(readers: int) -> Iterator[Stage]:
    """Everything, for as long as it is needed; nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="jobtracker-benchmarks-"))
    # A quarter of the memory, as PostgreSQL's manual has it for a database of its own (20.4.1). It
    # comes with 128 MB: beyond that, each page is copied from the system's cache.
    shared = {"shared_buffers": f"{psutil.virtual_memory().total // 4 // 2**20}MB"}
    postgres = Postgres(folder / "data", folder / "postgres.log", shared)
    pool = TokenPool()
    with contextlib.ExitStack() as down:
        down.callback(shutil.rmtree, folder)
        postgres.start()
        down.callback(postgres.stop)
        pool.start()
        down.callback(pool.stop)
        yield with_rows(Stage(folder, postgres, pool, "", Rows(0)), "jobs", Rows(readers))


def with_rows(made: Stage, name: str, rows: Rows) -> Stage:
    """The same, with another database, which is migrated and filled."""
    other = dataclasses.replace(made, database_url=made.postgres.make_database(name), rows=rows)
    migrate(other)
    fill(other.database_url, rows)
    return other


def migrate(made: Stage) -> None:
    """Bring the database to the newest schema, as it is done before a server starts."""
    file = ini.derive(made.folder / "alembic.ini", app=made.settings, port=free_port(), workers=1)
    done = subprocess.run(
        [Path(sys.executable).parent / "alembic", "-c", file, "upgrade", "head"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **made.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"alembic failed: {done.stdout}{done.stderr}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
