"""Search: jobs by any word of theirs, notes included."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.search.views")
