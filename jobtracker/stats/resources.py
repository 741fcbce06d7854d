"""``root["jobs"]["stats"]``."""

import datetime
from typing import Any

from jobtracker.jobs.resources import JobCollection
from jobtracker.stats import queries
from jobtracker.tree import Resource


class StatsResource(Resource, under=JobCollection, name="stats"):
    """``/jobs/stats``."""

    def funnel(
        self,
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        now: datetime.datetime | None = None,
    ) -> dict[str, Any]:
        """The funnel of the jobs that began in [since, until): :func:`queries.funnel`."""
        now = now or datetime.datetime.now(datetime.UTC)
        return queries.funnel(self.connection, self.user.id, since=since, until=until, now=now)
