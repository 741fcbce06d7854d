"""``root["jobs"][7]["activity"]`` and ``root["jobs"]["metrics"]``."""

import datetime

from jobtracker.activity.queries import ACTIVITY, COUNT_BY_TYPE, ActivityRow
from jobtracker.jobs import resources as jobs
from jobtracker.tree import Resource

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
DEFAULT_DAYS = 7
MAX_DAYS = 30


class ActivityCollection(
    jobs.JobChildCollection[ActivityRow], under=jobs.JobResource, name="activity"
):
    """``/jobs/7/activity``, newest first; its items are read-only and have no URL."""

    repository, item_class = ACTIVITY, jobs.JobChildResource


class MetricsResource(Resource, under=jobs.JobCollection, name="metrics"):
    """``/jobs/metrics``: the number of events of each type in the last days."""

    def activity(self, range_days: int = DEFAULT_DAYS) -> dict[str, int]:
        period = datetime.timedelta(days=range_days)
        return dict(COUNT_BY_TYPE.all(self.connection, user_id=self.user.id, period=period))
