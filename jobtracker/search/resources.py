"""``root["jobs"]["search"]``."""

from typing import Any

from jobtracker.jobs.resources import JobCollection
from jobtracker.search import queries
from jobtracker.search.highlight import highlight
from jobtracker.tree import Resource

DEFAULT_LIMIT = 20
MAX_LIMIT = 50
# The characters of notes that one search highlights: ten of the longest notes.
MAX_HIGHLIGHTED = 100_000


class SearchResource(Resource, under=JobCollection, name="search"):
    """``/jobs/search``."""

    def search(self, q: str | None, limit: int = DEFAULT_LIMIT) -> list[dict[str, Any]]:
        """The jobs in which all words of ``q`` occur, as cards with a ``highlight``, best first."""
        if not q:
            return []
        hits = []
        left = MAX_HIGHLIGHTED
        for card, note in queries.search(self.connection, self.user.id, q, limit=limit):
            note = note and note[:left]
            left -= len(note or "")
            texts = (card.job_title, card.company_name, ", ".join(card.tags), card.location, note)
            hits.append({**card._asdict(), "highlight": highlight(q, texts)})
        return hits
