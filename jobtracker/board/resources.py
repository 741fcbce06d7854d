"""``root["jobs"]["board"]``."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jobtracker.board.models import cards_of_user
from jobtracker.jobs.models import Status
from jobtracker.jobs.resources import JobCollection
from jobtracker.tree import Resource


class Board(NamedTuple):
    """Jobs as cards, and in ``meta`` how many there are of each status and in all."""

    statuses: Sequence[Status]
    jobs: Sequence[Any]
    meta: dict[str, Any]

    @classmethod
    def of(cls, cards: Sequence[Any], statuses: Iterable[str]) -> "Board":
        """A board of cards.

        :param statuses: the status of each
        """
        counted = Counter(statuses)
        counts = {status.value: counted[status] for status in Status}
        return cls(list(Status), cards, {"counts": counts, "total": len(cards)})


class BoardResource(Resource, under=JobCollection, name="board"):
    """``/jobs/board``."""

    def read(self) -> Board:
        """The board, as it is."""
        cards = cards_of_user(self.db, self.user.id)
        return Board.of(cards, (card.status for card in cards))
