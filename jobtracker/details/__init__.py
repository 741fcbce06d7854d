"""Details: a job with all that a screen shows of it, in one answer."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.details.views")
