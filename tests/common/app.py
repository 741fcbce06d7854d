"""What tests do with an application."""

import time
from typing import Any

from sqlalchemy import Engine

from jobtracker.http.rate_limits import RateLimiter
from jobtracker.local import migrations
from tests.common import citus
from tests.common.user_pool import MotoUserPool


def dispose_engines(app: Any) -> None:
    """Close the pooled connections of an application."""
    for name in ("db_engine", "db_autocommit_engine"):
        app.registry[name].dispose()


def connections_in_use(app: Any) -> int:
    """The number of connections in autocommit mode that requests of an application hold."""
    idle = app.registry["db_autocommit"].args[0]._idle
    return int(app.registry["db_autocommit_engine"].pool.checkedout()) - len(idle)


def forget_tokens(app: Any) -> None:
    """Clear what is cached of tokens: tests share them, but not their revocations."""
    app.registry["access_tokens"].clear_cache()
    app.registry["cognito"]._accounts._accounts.clear()


def new_rate_limiter() -> RateLimiter:
    """One of a test, whose first minute begins now: hits of a test at the end of a minute would be
    of two."""
    began = time.monotonic()
    return RateLimiter("memory://", lambda: time.monotonic() - began)


def sign_in(app: Any, user_pool: MotoUserPool, email: str, name: str) -> str:
    """The access token of an account, which the application has cached: the first request of each
    test would call GetUser."""
    token = user_pool.user(email, name).access_token
    app.registry["cognito"]._accounts.get(token, None, user_pool.account)
    return token


def migrate(engine: Engine) -> None:
    """Upgrade a database to the newest schema, and distribute its tables where it has Citus."""
    migrations.upgrade(engine)
    if citus.URL is not None:
        citus.distribute(engine)


def delete_rows(engine: Engine) -> None:
    """Delete all rows but the keys: of the tables that reference no other, and what is below.

    Of few rows, TRUNCATE takes ten times as long.
    """
    with engine.begin() as connection:
        tables = connection.exec_driver_sql("""
            SELECT oid::regclass::text FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
                AND relname NOT IN ('alembic_version', 'signing_keys')
                AND NOT EXISTS (
                    SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'f')
            ORDER BY relname <> 'users'  -- first, since triggers insert rows elsewhere
        """).scalars()
        for table in tables.all():
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 (from the catalog)
