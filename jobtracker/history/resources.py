"""``root["jobs"][7]["history"]``."""

import datetime
from collections.abc import Sequence

from jobtracker.errors import Conflict
from jobtracker.history.models import MAX_STEPS, JobStep
from jobtracker.jobs.resources import JobResource
from jobtracker.tree import Collection, Resource


class HistoryCollection(Collection, under=JobResource, name="history"):
    """``/jobs/7/history``."""

    __parent__: JobResource

    def find(self, row_id: int) -> "StepResource":
        step = JobStep.by_id(self.db, self.user.id, self.__parent__.job.id, row_id)
        if step is None:
            raise KeyError(row_id)
        return StepResource(self, step)

    def list(self) -> Sequence[JobStep]:
        """The steps, in the order in which they were taken."""
        return JobStep.of_job(self.db, self.user.id, self.__parent__.job.id)

    def record(self, status: str, at: datetime.datetime | None = None) -> "StepResource":
        """Say when the job came to a status: now, or in the past.

        When no step is later, it is the present status.

        :raises Conflict: beyond :data:`MAX_STEPS`
        """
        steps = self.locked()
        if len(steps) >= MAX_STEPS:
            raise Conflict(f"A job has at most {MAX_STEPS} steps.")
        step = JobStep.record(self.db, steps[-1], status, at)
        # A step has the greatest id of its job, so of those of one moment it is the last.
        self.now_at(step if step.at >= steps[-1].at else steps[-1])
        return StepResource(self, step)

    def locked(self) -> Sequence[JobStep]:
        """The steps, while nobody else changes the job.

        :raises jobtracker.errors.NotFound: when it was deleted in the meantime
        """
        self.__parent__.lock()
        return self.list()

    def now_at(self, latest: JobStep) -> None:
        """The user did something with the job, whose latest step is this one."""
        if self.__parent__.job.status != latest.status:
            self.__parent__.update(status=latest.status)
        else:
            self.__parent__.touch()


class StepResource(Resource):
    """``/jobs/7/history/9``."""

    __parent__: HistoryCollection

    def __init__(self, parent: Resource, step: JobStep) -> None:
        super().__init__(parent, str(step.id))
        self.step = step

    def delete(self) -> None:
        """Take a wrong step back.

        :raises Conflict: when it is the only one
        """
        left = [step for step in self.__parent__.locked() if step.id != self.step.id]
        if not left:
            raise Conflict("A job has a step at least.")
        self.step.remove(self.db)
        self.__parent__.now_at(left[-1])
        self.deleted()
