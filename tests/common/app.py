"""What tests do with an application."""

from typing import Any


def dispose_engines(app: Any) -> None:
    """Close the pooled connections of an application."""
    for name in ("db_engine", "db_autocommit_engine"):
        app.registry[name].dispose()
