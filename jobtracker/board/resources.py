"""``root["jobs"]["board"]``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobtracker.board import queries
from jobtracker.board.queries import CardRow
from jobtracker.db.keyset import Page
from jobtracker.jobs.models import Status
from jobtracker.jobs.resources import JobCollection
from jobtracker.tree import Resource


class Board(NamedTuple):
    """Jobs as cards, and in ``meta`` the number of jobs by status and in all."""

    statuses: Sequence[Status]
    jobs: Any
    meta: dict[str, Any]

    @classmethod
    def from_cards(cls, cards: Any, counts: Mapping[str, int]) -> "Board":
        """The board of some cards, of so many jobs by status."""
        all_counts = {status.value: counts.get(status, 0) for status in Status}
        return cls(list(Status), cards, {"counts": all_counts, "total": sum(counts.values())})


class BoardResource(Resource, under=JobCollection, name="board"):
    """``/jobs/board``."""

    def read(self) -> Board:
        """All cards, as far as :meth:`page` has them without a limit."""
        return Board.from_cards(self.page().rows, self.counts())

    def page(
        self, *, limit: int | None = None, after: Sequence[Any] | None = None
    ) -> Page[CardRow]:
        """A page of the cards; without a limit all of them, up to the maximum of a list."""
        user = self.request.identity
        return queries.page(self.connection, user.id, limit, after, user.job_count)

    def counts(self, cards: Sequence[CardRow] | None = None) -> Mapping[str, int]:
        """The number of jobs by status; ``cards``: all cards, where these were read already."""
        if cards is None:
            return queries.count_by_status(self.connection, self.user.id)
        return Counter(card.status for card in cards)
