"""``root["trash"]``: what the authenticated user has deleted."""

import datetime
from collections.abc import Sequence
from typing import Any, cast

from jobtracker.db.keyset import MAX_LIST, Page
from jobtracker.db.statements import database_time
from jobtracker.db.trash import EMPTY_TRASH, Trashable
from jobtracker.jobs.models import Job
from jobtracker.jobs.resources import JobCollection, JobResource
from jobtracker.tasks.resources import TaskResource, enqueue
from jobtracker.trash import queries
from jobtracker.trash.queries import TrashRow
from jobtracker.tree import Collection, ItemResource, OwnerOnly, Resource, Root, TrashableCollection
from jobtracker.users import queries as users


class Trash(OwnerOnly, under=Root, name="trash"):
    """``/trash``, newest first."""

    def __getitem__(self, name: str) -> "TrashOfKind":
        if name not in Trashable.by_kind:
            raise KeyError(name)
        return TrashOfKind(self, name)

    @property
    def period(self) -> datetime.timedelta:
        """The time after which what is in the trash is purged."""
        return datetime.timedelta(days=self.request.registry.settings["trash.days"])

    def page(
        self,
        *,
        limit: int | None = None,
        after: Sequence[Any] | None = None,
        kind: Sequence[str] = (),
    ) -> Page[TrashRow]:
        """At most ``limit`` rows, or :data:`jobtracker.db.keyset.MAX_LIST`: those that follow the
        row with the sort keys ``after``; of some kinds, or of all."""
        return queries.page(
            self.connection,
            self.user.id,
            kinds=kind,
            period=self.period,
            limit=limit or MAX_LIST,
            after=after,
        )

    def empty(self, *, kind: Sequence[str] = ()) -> TaskResource:
        """Delete all that is in the trash now, or all of some kinds, by a task; it is no longer in
        the trash from the commit on.

        :raises RateLimited: when too many tasks of the user are not finished
        """
        kinds = [each for each in Trashable.by_kind if each in kind or not kind]
        before = database_time(self.connection)
        args = {"before": before.isoformat(), "kinds": kinds}
        task = enqueue(self, EMPTY_TRASH, args)
        users.increment_revision(self.connection, self.user.id)
        return task


class TrashOfKind(Collection):
    """``/trash/note``."""

    __parent__: Trash

    @property
    def kind_of_child(self) -> str:
        return self.__name__.replace("_", " ")

    def find(self, row_id: int) -> "TrashedResource":
        row = queries.find(
            self.connection, self.user.id, self.__name__, row_id, self.__parent__.period
        )
        if row is None:
            raise KeyError(row_id)
        return TrashedResource(self, row)


class TrashedResource(ItemResource[TrashRow]):
    """``/trash/note/3``."""

    __parent__: TrashOfKind

    def restore(self) -> Resource:
        """Take it out of the trash, and return what it is now.

        :raises NotFound: when it was restored or deleted concurrently
        :raises ParentInTrash: when the job that it belongs to is in the trash
        :raises PlaceTaken: when another one has its place
        :raises QuotaExceeded: when there are as many as the quota allows
        """
        return cast(Resource, self._collection.restore(self.row.id))

    def purge(self) -> None:
        """Delete it for good; a job by a task. NotFound as :meth:`restore`."""
        self._collection.purge(self.row.id)

    @property
    def _collection(self) -> Any:
        """The collection that it was in."""
        root = Root(self.request)
        jobs = cast(JobCollection, root["jobs"])
        if self.row.kind == Job.trash_kind:
            return jobs
        name, collection = _collection_of(self.row.kind)
        if self.row.job_id is None:
            return root[name]
        return jobs.find_of_trashed(collection.repository, self.row.id)[name]


def _collection_of(kind: str) -> tuple[str, type[TrashableCollection[Any]]]:
    """The collection of a kind, with its name in its parent."""
    return next(
        (name, child)
        for parent in (Root, JobResource)
        for name, child in parent.children.items()
        if issubclass(child, TrashableCollection) and child.repository.model.trash_kind == kind
    )


def item_classes() -> list[type[Resource]]:
    return [
        JobResource if kind == Job.trash_kind else _collection_of(kind)[1].item_class
        for kind in Trashable.by_kind
    ]
