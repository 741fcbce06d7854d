"""``root["jobs"][7]["history"]``."""

import datetime
from typing import Any

from jobtracker.errors import Conflict
from jobtracker.history import queries
from jobtracker.history.queries import STEPS, LatestStep, StepRow
from jobtracker.jobs.resources import JobChildCollection, JobChildResource, JobResource
from jobtracker.quotas import QuotaExceeded
from jobtracker.tree import RowResource


class StepResource(JobChildResource[StepRow]):
    """``/jobs/7/history/9``."""

    __parent__: "HistoryCollection"
    kind = "step"

    def delete(self, *, permanent: bool = True, **trash_columns: Any) -> None:
        """Delete a step; the latest that remains is the job's status. Conflict when none does."""
        remaining = [step for step in self.__parent__.lock() if step.id != self.row.id]
        if not remaining:
            raise Conflict("The only step of a job cannot be deleted.")
        RowResource.delete(self, permanent=permanent, **trash_columns)
        self.__parent__.set_status(remaining[0].status)


class HistoryCollection(JobChildCollection[StepRow], under=JobResource, name="history"):
    """``/jobs/7/history``, in the order of the steps."""

    repository, item_class = STEPS, StepResource

    def record(self, status: str, at: datetime.datetime | None = None) -> StepResource:
        """Add a step, now or in the past; QuotaExceeded when the job has the maximum number."""
        latest = self.lock()[0]
        if latest.number >= (limit := self.quota("history_per_job")):
            raise QuotaExceeded("history_per_job", limit)
        if at is None:
            step = queries.insert_now(self.connection, self.owner, status, after=latest.at)
        else:
            step = self.insert(status=status, at=at)
        # Among steps of the same time the new one is the latest: it has the greatest id.
        self.set_status(step.status if step.at >= latest.at else latest.status)
        return StepResource(self, step)

    def lock(self) -> list[LatestStep]:
        """Lock the job and return its latest step, and the one before; NotFound when the job was
        deleted concurrently."""
        self.__parent__.lock()
        return queries.latest_two(self.connection, self.owner)

    def set_status(self, status: str) -> None:
        """Set the status of the job to that of its latest step, as an activity of now."""
        if self.__parent__.row.status != status:
            self.__parent__.update(status=status)
        else:
            self.__parent__.touch()
