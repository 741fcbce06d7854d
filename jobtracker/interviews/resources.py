"""``root["jobs"][7]["interviews"]``."""

from typing import Any

from jobtracker.interviews.queries import INTERVIEWS, InterviewRow
from jobtracker.jobs.resources import JobChildResource, JobResource, TrashableJobChildCollection


class InterviewResource(JobChildResource[InterviewRow]):
    """``/jobs/7/interviews/4``."""

    kind = "interview"

    def update(self, **fields: Any) -> InterviewRow:
        """Set some fields. Equal values are no change and no activity."""
        if any(getattr(self.row, name) != value for name, value in fields.items()):
            self.update_columns(**fields, updated_at=self.job.touch())
        return self.row


class InterviewCollection(
    TrashableJobChildCollection[InterviewRow], under=JobResource, name="interviews"
):
    """``/jobs/7/interviews``, latest date first."""

    repository, item_class = INTERVIEWS, InterviewResource
    quota_name = "interviews_per_job"

    def add(self, **fields: Any) -> InterviewResource:
        """:raises QuotaExceeded: when the job has the maximum number of interviews"""
        now = self.__parent__.touch()  # locks the job, so that the quota holds
        values = {"created_at": now, "updated_at": now, **fields}
        return InterviewResource(self, self.insert_within(self.quota_name, **values))
