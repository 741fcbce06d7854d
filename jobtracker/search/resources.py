"""``root["jobs"]["search"]``."""

from typing import Any

from jobtracker.jobs.resources import JobCollection
from jobtracker.search.highlight import highlight
from jobtracker.search.models import search
from jobtracker.tree import Resource

DEFAULT_LIMIT = 20
MAX_LIMIT = 50


class SearchResource(Resource, under=JobCollection, name="search"):
    """``/jobs/search``."""

    def find(self, q: str | None, limit: int = DEFAULT_LIMIT) -> list[dict[str, Any]]:
        """Cards of the jobs that have all words of ``q``, best first, with the ``highlight``."""
        if not q:
            return []
        found = search(self.db, self.user.id, q, limit=limit)
        return [
            {
                **row._mapping,
                "highlight": highlight(
                    q,
                    (row.job_title, row.company_name, ", ".join(row.tags), row.location, row.body),
                ),
            }
            for row in found
        ]
