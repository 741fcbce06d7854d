"""A database behind PgBouncer, whose role has the session settings."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import psycopg

from jobtracker.db.engine import make_migrations_engine
from jobtracker.local import migrations
from jobtracker.local.postgres import Postgres
from jobtracker.settings import read
from tests.common.pgbouncer import PgBouncer, find_program
from tests.common.server import free_port
from tests.common.timeouts import LONG_TIMEOUTS

ROLE = "pooled"
# Those of docs/poolers.md, with time-outs as long as those of the tests' application.
SESSION_SETTINGS = {
    "statement_timeout": f"{LONG_TIMEOUTS['sqlalchemy.statement_timeout']}s",
    "lock_timeout": f"{LONG_TIMEOUTS['sqlalchemy.lock_timeout']}s",
    "idle_in_transaction_session_timeout": "30s",
    "TimeZone": "UTC",
}
IS_INSTALLED = find_program() is not None
REASON = "PgBouncer is not installed: apt-get install pgbouncer"


def make_pooled_database(postgres: Postgres, settings: dict[str, str], name: str) -> str:
    """Make a migrated database with another time zone, which belongs to ROLE; return its URL."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [ROLE])
        if found.fetchone() is None:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN")
        for setting, value in SESSION_SETTINGS.items():
            connection.execute(f"ALTER ROLE {ROLE} SET {setting} = '{value}'")
        connection.execute(f"CREATE DATABASE {name} OWNER {ROLE}")
        connection.execute(f"ALTER DATABASE {name} SET TimeZone = 'America/New_York'")
    url = postgres.url(name).replace("postgres@", f"{ROLE}@", 1)
    engine = make_migrations_engine(read({**settings, "sqlalchemy.url": url}))
    migrations.upgrade(engine)
    engine.dispose()
    return url


@contextmanager
def run_pgbouncer(
    postgres: Postgres, pool_mode: str, options: Mapping[str, str] = MappingProxyType({})
) -> Iterator[PgBouncer]:
    """Run PgBouncer for the roles postgres and ROLE."""
    # Its user, who is that of PostgreSQL, has to enter all folders above.
    folder = Path(tempfile.mkdtemp(prefix="jobtracker-pgbouncer-"))
    folder.chmod(0o755)
    users = ("postgres", ROLE)
    server = PgBouncer(
        folder / pool_mode, postgres, free_port(), pool_mode=pool_mode, users=users, options=options
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
