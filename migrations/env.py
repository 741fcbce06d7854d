"""Alembic's environment: the database and the metadata of the application of an ini file.

``alembic -c production.ini upgrade head`` makes the application, so that the database is configured
in one place. ``config.attributes["connection"]`` is used instead, if it is set.
"""

import logging
import time
from collections.abc import Iterator
from typing import Any

from alembic import context
from alembic.util import CommandError
from psycopg.errors import InsufficientPrivilege
from pyramid.paster import bootstrap, setup_logging
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from jobtracker.db.base import Base
from jobtracker.db.checks import BEGIN_ANEW, first_line, unsuitable_properties
from jobtracker.db.engine import disable_timeouts, make_migrations_engine
from jobtracker.db.migrations import LOCK_TIMEOUT, retry_lock_timeouts
from jobtracker.db.poolers import check_sessions

log = logging.getLogger("alembic.env")

# The advisory lock that serializes concurrent migrations; the number is arbitrary.
LOCK = 0x10B7AC4E
# Seconds between the attempts to get it.
LOCK_INTERVAL = 0.5


def migrate(connection: Connection) -> None:
    """Run the migrations, each in a transaction of its own, again after lock time-outs."""
    disable_timeouts(connection)
    acquire_lock(connection)

    def set_lock_timeout(value: str) -> None:
        connection.execute(text(f"SET lock_timeout = '{value}'"))
        connection.commit()

    steps: list[Any] = []

    def remaining_steps(heads: Any, migration_context: Any) -> Iterator[Any]:
        """The steps of the command, without those that were committed by an attempt before."""
        if not steps:
            steps.extend(command(heads, migration_context))
        while steps:
            yield steps[0]
            del steps[0]

    def run() -> None:
        try:
            with context.begin_transaction():
                context.run_migrations()
        except BaseException:
            connection.rollback()
            raise

    try:
        set_lock_timeout(LOCK_TIMEOUT)
        options: dict[str, Any] = {
            "connection": connection,
            "target_metadata": Base.metadata,
            "compare_server_default": True,
            "transaction_per_migration": True,
        }
        context.configure(**options)
        refuse_unknown_revisions()
        connection.rollback()  # Alembic leaves the transactions to a caller that has begun one
        command = context.get_context().opts["fn"]
        context.configure(**options, fn=remaining_steps)
        retry_lock_timeouts(run, set_lock_timeout)
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()


def acquire_lock(connection: Connection) -> None:
    """Wait for other migrations, without a transaction, for whose end CREATE INDEX CONCURRENTLY of
    theirs would wait."""
    query = text("SELECT pg_try_advisory_lock(:lock)")
    while not connection.execute(query, {"lock": LOCK}).scalar_one():
        connection.commit()
        time.sleep(LOCK_INTERVAL)
    connection.commit()


def refuse_unknown_revisions() -> None:
    """CommandError where the database is at a revision without a migration."""
    known = {script.revision for script in context.script.walk_revisions()}
    unknown = set(context.get_context().get_current_heads()) - known
    if unknown:
        revisions = ", ".join(sorted(unknown))
        raise CommandError(f"The revision {revisions} of the database is unknown: {BEGIN_ANEW}")


def main() -> None:
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            target_metadata=Base.metadata,
            literal_binds=True,
            transaction_per_migration=True,
        )
        context.get_context().impl.static_output(f"SET lock_timeout = '{LOCK_TIMEOUT}';\n")
        with context.begin_transaction():
            context.run_migrations()
        return
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    ini = context.config.config_file_name
    setup_logging(ini)
    with bootstrap(ini, options={"__script__": "alembic"}) as env:
        try:
            engine = make_migrations_engine(env["registry"].settings)
            check_sessions(engine)
            with engine.connect() as connection:
                for problem in unsuitable_properties(connection):
                    log.warning("PostgreSQL: %s", problem)
                migrate(connection)
                revision = context.get_context().get_current_revision()
                context.config.print_stdout("The schema is at revision %s", revision)
        except CommandError as error:  # Alembic would log it and print it
            raise SystemExit(str(error)) from None
        except DBAPIError as error:
            # A database that is not available, a lock, the role; others are errors of a migration.
            if not isinstance(error, OperationalError) and not isinstance(
                error.orig, InsufficientPrivilege
            ):
                raise
            raise SystemExit(f"PostgreSQL: {first_line(error)}") from None


main()
