"""Alembic's environment: the database and the metadata of the application of an ini file.

``alembic -c production.ini upgrade head`` makes the application, so that the database is configured
in one place. ``config.attributes["connection"]`` is used instead, if it is set.
"""

import logging

from alembic import context
from psycopg.errors import InsufficientPrivilege
from pyramid.paster import bootstrap, setup_logging
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from jobtracker.db.base import Base
from jobtracker.db.checks import first_line, unsuitable_properties
from jobtracker.db.engine import disable_timeouts, make_migrations_engine
from jobtracker.db.poolers import check_sessions

log = logging.getLogger("alembic.env")

# The advisory lock that serializes concurrent migrations; the number is arbitrary.
LOCK = 0x10B7AC4E
# lock_timeout: ALTER TABLE waits for running transactions, and new ones wait for it. After the
# time-out the migration fails, is rolled back, and can be repeated.
LOCK_TIMEOUT = 10


def migrate(connection: Connection) -> None:
    """Run the migrations, each in a transaction of its own."""
    disable_timeouts(connection)
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}s'"))
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()


def main() -> None:
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True
        )
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
        except DBAPIError as error:
            # A database that is not available, a lock, the role; others are errors of a migration.
            if not isinstance(error, OperationalError) and not isinstance(
                error.orig, InsufficientPrivilege
            ):
                raise
            raise SystemExit(f"PostgreSQL: {first_line(error)}") from None


main()
