"""Statistics: what became of applications."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.stats.views")
