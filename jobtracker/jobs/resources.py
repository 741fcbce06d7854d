"""``root["jobs"]``: the jobs of whoever is signed in, and what can be done with one."""

import datetime
from collections.abc import Collection as Some
from typing import Any

from jobtracker.db.keyset import MAX_LIMIT, Page
from jobtracker.errors import NotFound
from jobtracker.jobs import queries
from jobtracker.jobs.queries import SORTS, JobRow
from jobtracker.tree import Collection, OwnerOnly, Resource, Root


class JobCollection(OwnerOnly, Collection, under=Root, name="jobs"):
    """``/jobs``."""

    def find(self, row_id: int) -> "JobResource":
        job = queries.find(self.connection, self.request.authenticated_userid, row_id)
        if job is None:
            _known = self.user  # 401, where Cognito does not know whoever asks
            raise KeyError(row_id)
        return JobResource(self, job)

    def page(
        self,
        *,
        limit: int = MAX_LIMIT,
        after: tuple[Any, ...] | None = None,
        sort: str = "activity",
        **filters: Any,
    ) -> Page:
        """Some of the jobs; sorts and filters as for :func:`queries.some`."""
        rows = queries.some(
            self.connection, self.user.id, limit=limit + 1, after=after, sort=sort, **filters
        )
        return Page.of(rows, limit, SORTS[sort])

    def list(self, **options: Any) -> Some[JobRow]:
        """The jobs, those with the latest activity first; options as for :meth:`page`."""
        return self.page(**options).rows

    def create(self, **fields: Any) -> "JobResource":
        """Keep track of one more job."""
        try:
            job = queries.create(self.connection, self.request.authenticated_userid, **fields)
        except NotFound:  # never here before: whoever asks for the user makes the row
            job = queries.create(self.connection, self.user.cognito_sub, **fields)
        return JobResource(self, job)


class JobResource(Resource):
    """``/jobs/7``."""

    def __init__(self, parent: Resource, job: JobRow) -> None:
        super().__init__(parent, str(job.id))
        self.job = job

    @property
    def version(self) -> str:
        """What the job's fields are known by: another after each change."""
        return str(self.job.version)

    def touch(self) -> datetime.datetime:
        """The user did something with the job: now, and that is returned. It is locked from here.

        :raises NotFound: when it was deleted in the meantime
        """
        self.job = queries.touch(self.connection, self.job.user_id, self.job.id)
        return self.job.last_activity_at

    def lock(self) -> None:
        """Wait for others who change this job or what hangs under it, and keep them waiting.

        :raises NotFound: when it was deleted in the meantime
        """
        self.job = queries.lock(self.connection, self.job.user_id, self.job.id)

    def update(self, versions: Some[str] | None = None, **changes: Any) -> JobRow:
        """Change some fields. What is as it was already is no change.

        :param versions: those that it may be of, in the eyes of whoever changes it
        :raises VersionConflict: when it is of another
        """
        self.job = queries.change(
            self.connection, self.job.user_id, self.job.id, _numbers(versions), **changes
        )
        return self.job

    def delete(self, versions: Some[str] | None = None) -> None:
        """Forget the job, with all that hangs under it. Raises as :meth:`update`."""
        queries.remove(self.connection, self.job.user_id, self.job.id, _numbers(versions))
        self.deleted()


def _numbers(versions: Some[str] | None) -> list[int] | None:
    if versions is None:
        return None
    return [int(each) for each in versions if each.isascii() and each.isdigit() and len(each) < 19]
