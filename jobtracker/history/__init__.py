"""History: which status a job had, from when on."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.history.views")
