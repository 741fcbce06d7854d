"""``root["jobs"]["board"]``."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jobtracker.board import queries
from jobtracker.jobs.models import Status
from jobtracker.jobs.resources import JobCollection
from jobtracker.tree import Resource


class Board(NamedTuple):
    """Jobs as cards, and in ``meta`` their number by status and in all."""

    statuses: Sequence[Status]
    jobs: Sequence[Any]
    meta: dict[str, Any]

    @classmethod
    def from_cards(cls, cards: Sequence[Any], statuses: Iterable[str]) -> "Board":
        """The board of some cards with these statuses."""
        counter = Counter(statuses)
        counts = {status.value: counter[status] for status in Status}
        return cls(list(Status), cards, {"counts": counts, "total": len(cards)})


class BoardResource(Resource, under=JobCollection, name="board"):
    """``/jobs/board``."""

    def read(self) -> Board:
        cards = queries.cards(self.connection, self.user.id)
        return Board.from_cards(cards, (card.status for card in cards))
