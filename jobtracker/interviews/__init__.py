"""Interviews for a job."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.interviews.views")
