"""Notes on a job."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.notes.views")
