"""Activity: what happened to a job, in the words of whoever looks back."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.activity.views")
