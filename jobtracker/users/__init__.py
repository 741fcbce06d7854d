"""Users: who they are, their settings, their password."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.users.views")
