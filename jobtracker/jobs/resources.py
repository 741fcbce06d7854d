"""``root["jobs"]``: the jobs of the authenticated user, and the operations on one."""

import datetime
from collections.abc import Collection as AbstractCollection
from collections.abc import Sequence
from typing import Any, TypeVar

from jobtracker.db.base import translate_constraint_error
from jobtracker.db.keyset import Page
from jobtracker.jobs import queries
from jobtracker.jobs.queries import JobRow
from jobtracker.quotas import QuotaExceeded
from jobtracker.tree import Collection, HasId, OwnerOnly, Resource, Root, RowCollection, RowResource
from jobtracker.users.queries import TokenKey

R = TypeVar("R", bound=HasId)


class JobCollection(OwnerOnly, Collection, under=Root, name="jobs"):
    """``/jobs``."""

    @property
    def kind_of_child(self) -> str:
        return JobResource.kind

    def find(self, row_id: int) -> "JobResource":
        token = self._token
        job = queries.find_authenticated(self.connection, token, row_id)
        if job is None:
            _ = self.user  # 401 if the token is revoked, or Cognito has no such account
            if self._token != token:  # the user's id was out of date
                job = queries.find_authenticated(self.connection, self._token, row_id)
        if job is None:
            raise KeyError(row_id)
        return JobResource(self, job)

    def page(
        self, *, limit: int | None = None, after: Sequence[Any] | None = None, **options: Any
    ) -> Page[JobRow]:
        """A page of the jobs; ``sort`` and filters as for :func:`queries.page`."""
        user = self.request.identity
        options |= {"limit": limit, "after": after, "job_count": user.job_count}
        return queries.page(self.connection, user.id, **options)

    def list(self, **options: Any) -> Sequence[JobRow]:
        """The jobs of a page, latest activity first; options as for :meth:`page`."""
        return self.page(**options).rows

    def create(self, **fields: Any) -> "JobResource":
        """:raises QuotaExceeded: when the user has the maximum number of jobs"""
        quota = self.quota("jobs")
        job = queries.create(self.connection, self._token, quota, **fields)
        if job is None:  # perhaps the user's id was out of date: loading the user finds it
            _ = self.user  # 401 if the token is revoked
            job = queries.create(self.connection, self._token, quota, **fields)
        if job is None:
            raise QuotaExceeded("jobs", quota)
        return JobResource(self, job)

    @property
    def _token(self) -> TokenKey:
        if self.request.verified_token.user_id is None:
            _ = self.user  # identifies the user
        return self.request.verified_token.key


class JobResource(Resource):
    """``/jobs/7``."""

    kind = "job"

    def __init__(self, parent: Resource, row: JobRow) -> None:
        super().__init__(parent, str(row.id))
        self.row = row

    @property
    def _primary_key(self) -> dict[str, int]:
        return {"user_id": self.row.user_id, "job_id": self.row.id}

    @property
    def version(self) -> str:
        """The nonce of the version of the job's fields, for If-Match: of a number, a restore of
        the database makes others."""
        return str(self.row.version_nonce)

    def touch(self) -> datetime.datetime:
        """Set ``last_activity_at`` to now and return it; this locks the job.

        :raises NotFound: when it was deleted concurrently
        """
        self.row = queries.TOUCH.first_or_not_found(self.connection, **self._primary_key)
        return self.row.last_activity_at

    def lock(self) -> None:
        """Lock the job against changes of it and of what is below it. Raises as :meth:`touch`."""
        self.row = queries.LOCK.first_or_not_found(self.connection, **self._primary_key)

    def update(self, versions: AbstractCollection[str] | None = None, **fields: Any) -> JobRow:
        """Set some fields: :func:`queries.update_job`.

        :raises QuotaExceeded: when a new status would be one step of the history too many
        """
        accepted = _integers(versions)
        too_many = QuotaExceeded("history_per_job", self.quota("history_per_job"))
        with translate_constraint_error(queries.MAX_STEPS, too_many):
            self.row = queries.update_job(self.connection, self._primary_key, accepted, **fields)
        return self.row

    def delete(self, versions: AbstractCollection[str] | None = None) -> None:
        """Delete the job with all that is below it. Raises as :meth:`update`."""
        queries.delete_job(self.connection, self._primary_key, _integers(versions))
        self.notify_deleted()


class JobChildResource(RowResource[R]):
    """An item below a job."""

    @property
    def job(self) -> JobResource:
        return self.__parent__.__parent__  # type: ignore[return-value]

    def delete(self, *, permanent: bool = False) -> None:
        # The job first, as in all writes below it: two of them cannot deadlock.
        self.job.touch()
        super().delete(permanent=permanent)


class JobChildCollection(RowCollection[R]):
    """A collection below a job: rows with its ``user_id`` and ``application_id``."""

    __parent__: JobResource
    kind = JobResource.kind  # a collection is deleted with its job

    @property
    def owner(self) -> dict[str, int]:
        job = self.__parent__.row
        return {"user_id": job.user_id, "application_id": job.id}


def _integers(versions: AbstractCollection[str] | None) -> list[int] | None:
    if versions is None:
        return None
    return [int(each) for each in versions if each.isascii() and each.isdigit() and len(each) < 19]
