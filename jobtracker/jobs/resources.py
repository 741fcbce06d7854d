"""``root["jobs"]``: the jobs of the authenticated user, and the operations on one."""

import datetime
from collections.abc import Collection as AbstractCollection
from collections.abc import Sequence
from typing import Any, TypeVar

from jobtracker.db.base import translate_constraint_error
from jobtracker.db.keyset import Page
from jobtracker.db.trash import ParentInTrash, TrashReason
from jobtracker.db.trashable_rows import TrashableRepository
from jobtracker.errors import NotFound
from jobtracker.jobs import queries
from jobtracker.jobs.queries import DeletionTimes, JobRow
from jobtracker.quotas import QuotaExceeded
from jobtracker.tree import (
    Collection,
    HasId,
    ItemResource,
    OwnerOnly,
    Root,
    RowCollection,
    RowResource,
    TrashableCollection,
)
from jobtracker.users import queries as users
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

    def restore(self, job_id: int) -> "JobResource":
        """Take a job out of the trash, and so all that is below it: it is what it was before.

        :raises NotFound: when there is no such job in the trash
        :raises QuotaExceeded: when the user has the maximum number of jobs, or of documents
        """
        key = {"user_id": self.user.id, "job_id": job_id}
        queries.LOCK_IN_TRASH.first_or_not_found(self.connection, **key)
        # Serializes what counts for the quota.
        owner = users.USERS.lock(self.connection, {}, key["user_id"])
        if owner.job_count >= (limit := self.quota("jobs")):
            raise QuotaExceeded("jobs", limit)
        job = JobResource(self, queries.RESTORE.first_or_not_found(self.connection, **key))
        job.notify_restored()
        return job

    def purge(self, job_id: int) -> None:
        """Leave a job in the trash to the task that deletes it, with all that is below it.

        :raises NotFound: as :meth:`restore`
        """
        key = {"user_id": self.user.id, "job_id": job_id}
        JobResource(self, queries.PURGE.first_or_not_found(self.connection, **key)).notify_deleted()

    def find_of_trashed(self, repository: TrashableRepository[Any], row_id: int) -> "JobResource":
        """The job of a child in the trash. It can be in the trash itself.

        :raises NotFound: when there is no such child in the trash
        """
        statement = queries.job_of_trashed(repository.model)
        key = {"user_id": self.user.id, "row_id": row_id}
        return JobResource(self, statement.first_or_not_found(self.connection, **key))

    @property
    def _token(self) -> TokenKey:
        if self.request.verified_token.user_id is None:
            _ = self.user  # identifies the user
        return self.request.verified_token.key


class JobResource(ItemResource[JobRow]):
    """``/jobs/7``."""

    kind = "job"

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

    def touch_for_deletion(self) -> DeletionTimes:
        """As :meth:`touch`, with the time of before, for the restoration of what is deleted."""
        times = queries.TOUCH_FOR_DELETION.first_or_not_found(self.connection, **self._primary_key)
        self.row = self.row._replace(last_activity_at=times.trashed_at)
        return times

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

    def delete(
        self, versions: AbstractCollection[str] | None = None, *, permanent: bool = False
    ) -> None:
        """Put the job into the trash, and so all that is below it. Raises as :meth:`update`.

        :param permanent: leave it to the task that deletes it; it cannot be restored
        """
        reason = TrashReason.PURGE if permanent else TrashReason.USER
        queries.trash_job(self.connection, self._primary_key, _integers(versions), reason)
        if permanent:
            self.notify_deleted()


class JobChildResource(RowResource[R]):
    """An item below a job."""

    @property
    def job(self) -> JobResource:
        return self.__parent__.__parent__  # type: ignore[return-value]

    def delete(self, *, permanent: bool = False, **trash_columns: Any) -> None:
        # The job first, as in all writes below it: two of them cannot deadlock.
        times = self.job.touch_for_deletion()
        super().delete(permanent=permanent, **times._asdict(), **trash_columns)


class JobChildCollection(RowCollection[R]):
    """A collection below a job: rows with its ``user_id`` and ``application_id``."""

    __parent__: JobResource
    kind = JobResource.kind  # a collection is deleted with its job

    @property
    def owner(self) -> dict[str, int]:
        job = self.__parent__.row
        return {"user_id": job.user_id, "application_id": job.id}


class TrashableJobChildCollection(JobChildCollection[R], TrashableCollection[R]):
    """A collection below a job whose items can be in the trash."""

    def restore(self, row_id: int) -> RowResource[R]:
        """As of any collection; ParentInTrash when the job is in the trash."""
        try:
            self.__parent__.lock()
        except NotFound:
            raise ParentInTrash from None
        return super().restore(row_id)

    def purge(self, row_id: int) -> None:
        """As of any collection. The job can be in the trash; it has no activity."""
        job = self.__parent__.row
        queries.LOCK_ANY.first(self.connection, user_id=job.user_id, job_id=job.id)
        super().purge(row_id)


def _integers(versions: AbstractCollection[str] | None) -> list[int] | None:
    if versions is None:
        return None
    return [int(each) for each in versions if each.isascii() and each.isdigit() and len(each) < 19]
