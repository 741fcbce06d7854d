"""Jobs: the applications that somebody keeps track of."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.jobs.views")
