"""``root["jobs"]["stats"]``."""

import datetime
from typing import Any

from jobtracker.jobs.resources import JobCollection
from jobtracker.stats import queries
from jobtracker.tree import Resource


class StatsResource(Resource, under=JobCollection, name="stats"):
    """``/jobs/stats``."""

    def funnel(self, **times: datetime.datetime | None) -> dict[str, Any]:
        """The funnel of the jobs; ``since``, ``until``, ``now`` as for :func:`queries.funnel`."""
        return queries.funnel(self.connection, self.user.id, **times)
