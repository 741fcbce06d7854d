"""``root["jobs"][7]["activity"]`` and ``root["jobs"]["metrics"]``."""

from collections.abc import Sequence
from typing import Any

from jobtracker.activity.models import Activity
from jobtracker.db.keyset import Page
from jobtracker.jobs.resources import JobCollection, JobResource
from jobtracker.tree import Resource

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
DEFAULT_DAYS = 7
MAX_DAYS = 30


class ActivityResource(Resource, under=JobResource, name="activity"):
    """``/jobs/7/activity``: nothing is added here, and nothing deleted."""

    __parent__: JobResource

    def page(self, *, limit: int = DEFAULT_LIMIT, after: Sequence[Any] | None = None) -> Page:
        """Some of what happened to the job, newest first."""
        return Activity.page_of_job(self.db, self.user.id, self.__parent__.job.id, limit, after)

    def list(self, limit: int = DEFAULT_LIMIT) -> Sequence[Activity]:
        """What happened to the job last, newest first."""
        return self.page(limit=limit).rows


class MetricsResource(Resource, under=JobCollection, name="metrics"):
    """``/jobs/metrics``: figures on all jobs."""

    def activity(self, range_days: int = DEFAULT_DAYS) -> dict[str, int]:
        """How much of each type of activity there was in the last so many days."""
        return Activity.per_type(self.db, self.user.id, days=range_days)
