"""``root["jobs"]``: the jobs of whoever is signed in, and what can be done with one."""

from collections.abc import Sequence
from typing import Any

from jobtracker.db import NOW
from jobtracker.jobs.models import Job
from jobtracker.tree import Collection, Private, Resource, Root


class JobCollection(Private, Collection, under=Root, name="jobs"):
    """``/jobs``."""

    def find(self, row_id: int) -> "JobResource":
        job = Job.by_id(self.db, self.user.id, row_id)
        if job is None:
            raise KeyError(row_id)
        return JobResource(self, job)

    def list(self, **filters: Any) -> Sequence[Job]:
        """The jobs, those with the latest activity first; filters as for :meth:`Job.of_user`."""
        return Job.of_user(self.db, self.user.id, **filters)

    def create(self, **fields: Any) -> "JobResource":
        """Keep track of one more job."""
        job = Job(user_id=self.user.id, **fields)
        self.db.add(job)
        self.db.flush()
        return JobResource(self, job)


class JobResource(Resource):
    """``/jobs/7``."""

    def __init__(self, parent: Resource, job: Job) -> None:
        super().__init__(parent, str(job.id))
        self.job = job

    def update(self, **changes: Any) -> Job:
        """Change some fields. What is as it was already is no change."""
        for name, value in changes.items():
            setattr(self.job, name, value)
        if self.db.is_modified(self.job):
            self.job.updated_at = NOW
            self.job.touch(self.db)
        return self.job

    def delete(self) -> None:
        """Forget the job, with all that hangs under it."""
        self.job.remove(self.db)
        self.deleted()
