"""``root["jobs"]["board"]``."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from jobtracker.board.models import cards_of_user
from jobtracker.jobs.models import Status
from jobtracker.jobs.resources import JobCollection
from jobtracker.tree import Resource


class Board(NamedTuple):
    """All jobs as cards, and how many there are of each status."""

    statuses: Sequence[Status]
    jobs: Sequence[Row[Any]]
    counts: dict[str, int]

    @property
    def meta(self) -> dict[str, Any]:
        return {"counts": self.counts, "total": len(self.jobs)}


class BoardResource(Resource, under=JobCollection, name="board"):
    """``/jobs/board``."""

    def read(self) -> Board:
        """The board, as it is."""
        cards = cards_of_user(self.db, self.user.id)
        counted = Counter(card.status for card in cards)
        return Board(list(Status), cards, {status.value: counted[status] for status in Status})
