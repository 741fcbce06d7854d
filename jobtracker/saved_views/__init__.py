"""Saved views: how somebody likes to look at their jobs."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.saved_views.views")
