"""``root["jobs"]["stats"]``."""

import datetime
from typing import Any

from jobtracker.jobs.resources import JobCollection
from jobtracker.stats.models import funnel_of_user
from jobtracker.tree import Resource


class StatsResource(Resource, under=JobCollection, name="stats"):
    """``/jobs/stats``."""

    def funnel(
        self,
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        now: datetime.datetime | None = None,
    ) -> dict[str, Any]:
        """What became of the jobs that began in [since, until): :func:`funnel_of_user`."""
        now = now or datetime.datetime.now(datetime.UTC)
        return funnel_of_user(self.db, self.user.id, since=since, until=until, now=now)
