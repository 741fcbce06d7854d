"""Alembic's way to the database: that of the ini file it is given.

``alembic -c production.ini upgrade head`` starts the application of the ini, without serving it, so
there is one place that says where the database is. Who has a connection already hands it in as
``config.attributes["connection"]``.
"""

from alembic import context
from pyramid.paster import bootstrap
from sqlalchemy import Connection, text

from jobtracker.db.base import Base
from jobtracker.db.engine import disable_timeouts

# Any number, the same for all who migrate: one at a time, the others wait and find the work done.
LOCK = 0x10B7AC4E
# A change of a table waits behind whoever uses it, and all others wait behind the change. Beyond
# this it gives up, with nothing done, and can be tried again.
SECONDS_FOR_A_TABLE = 10


def migrate(connection: Connection) -> None:
    disable_timeouts(connection)
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    connection.execute(text(f"SET lock_timeout = '{SECONDS_FOR_A_TABLE}s'"))
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
    with (
        bootstrap(ini, options={"__script__": "alembic"}) as env,
        env["registry"]["db_engine"].connect() as connection,
    ):
        migrate(connection)


main()
