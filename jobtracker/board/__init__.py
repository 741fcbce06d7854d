"""The board: all jobs as cards, by status."""

from typing import Any


def includeme(config: Any) -> None:
    config.scan("jobtracker.board.views")
