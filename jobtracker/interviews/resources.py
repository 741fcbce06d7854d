"""``root["jobs"][7]["interviews"]``."""

from collections.abc import Sequence
from typing import Any

from jobtracker.db.keyset import MAX_LIMIT, Page
from jobtracker.errors import Conflict
from jobtracker.interviews.models import MAX_INTERVIEWS, Interview
from jobtracker.jobs.resources import JobResource
from jobtracker.tree import Collection, Resource


class InterviewCollection(Collection, under=JobResource, name="interviews"):
    """``/jobs/7/interviews``."""

    __parent__: JobResource

    @property
    def _of_job(self) -> tuple[int, int]:
        return self.user.id, self.__parent__.job.id

    def find(self, row_id: int) -> "InterviewResource":
        interview = Interview.by_id(self.db, *self._of_job, row_id)
        if interview is None:
            raise KeyError(row_id)
        return InterviewResource(self, interview)

    def page(self, *, limit: int = MAX_LIMIT, after: Sequence[Any] | None = None) -> Page:
        """Some of the interviews, the last one first."""
        return Interview.page_of_job(self.db, *self._of_job, limit, after)

    def list(self) -> Sequence[Interview]:
        """The interviews, the last one first."""
        return self.page().rows

    def add(self, **fields: Any) -> "InterviewResource":
        """Write down one more.

        :raises Conflict: when the job has as many as it can have
        """
        now = self.__parent__.touch()  # which locks the job: two do not count at once
        if Interview.count(self.db, *self._of_job) >= MAX_INTERVIEWS:
            raise Conflict(f"A job can have at most {MAX_INTERVIEWS} interviews.")
        user_id, job_id = self._of_job
        interview = Interview(
            user_id=user_id, application_id=job_id, created_at=now, updated_at=now, **fields
        )
        self.db.add(interview)
        self.db.flush()
        return InterviewResource(self, interview)


class InterviewResource(Resource):
    """``/jobs/7/interviews/4``."""

    __parent__: InterviewCollection

    def __init__(self, parent: Resource, interview: Interview) -> None:
        super().__init__(parent, str(interview.id))
        self.interview = interview

    def update(self, **fields: Any) -> Interview:
        """Change some fields. What is as it was already is no change."""
        interview = self.interview
        changes = {
            name: value for name, value in fields.items() if getattr(interview, name) != value
        }
        if changes:
            # The job first, as in all writes under it: none waits for one that waits for it.
            interview.updated_at = self.__parent__.__parent__.touch()
            for name, value in changes.items():
                setattr(interview, name, value)
            self.db.flush()
        return interview

    def delete(self) -> None:
        """Forget the interview."""
        self.__parent__.__parent__.touch()
        self.interview.remove(self.db)
        self.deleted()
