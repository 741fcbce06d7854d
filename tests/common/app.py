"""What tests do with an application."""

from typing import Any

from sqlalchemy import Engine

from jobtracker.local import migrations
from tests.common import citus


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


def migrate(engine: Engine) -> None:
    """Upgrade a database to the newest schema, and distribute its tables where it has Citus."""
    migrations.upgrade(engine)
    if citus.URL is not None:
        citus.distribute(engine)
