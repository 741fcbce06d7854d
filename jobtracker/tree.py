"""The resource tree: the domain API that URLs address by traversal.

::

    root
      ├── users ── me ── settings, ui-preferences, usage, retention, deletion, mfa, audit
      ├── jobs                  the jobs of the authenticated user
      │     ├── board, search, stats, metrics
      │     └── 7
      │           ├── notes ── 3, interviews ── 4, history ── 9
      │           ├── documents ── 5 ── versions ── 4
      │           └── activity, details
      ├── saved-views ── 2
      ├── exports ── 3
      └── trash ── note ── 3, job ── 7    and so on for each kind

Pyramid traverses it for each request, and pshell can by hand::

    root["jobs"][7]["notes"].add(body="Called back.")

A name that does not exist, or is another user's, raises KeyError, which Pyramid answers with 404.
Each class names its parent class, and its name there, so that a new kind of child needs no edit
elsewhere::

    class NoteCollection(JobChildCollection, under=JobResource, name="notes"): ...
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pyramid.authorization import Allow, Everyone
from pyramid.request import Request

from jobtracker.db.base import translate_constraint_error
from jobtracker.db.connections import SupportsExecute, release_autocommit
from jobtracker.db.keyset import MAX_LIST, Page
from jobtracker.db.statements import Repository
from jobtracker.db.trash import PlaceTaken, TrashReason
from jobtracker.db.trashable_rows import TrashableRepository
from jobtracker.errors import Unauthorized
from jobtracker.permissions import Permission
from jobtracker.quotas import QuotaExceeded

# The largest bigint of PostgreSQL.
MAX_ID = 2**63 - 1


class HasId(Protocol):
    @property
    def id(self) -> int: ...


R = TypeVar("R", bound=HasId)


class Resource:
    """A node of the tree. Its children are the classes that name it as their parent."""

    children: ClassVar[dict[str, type["Resource"]]] = {}
    #: What a message says is not there, when this is deleted concurrently.
    kind: ClassVar[str] = "page"

    def __init_subclass__(
        cls, *, under: type["Resource"] | None = None, name: str = "", **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.children = {}
        if under is not None:
            under.children[name] = cls

    def __init__(self, parent: "Resource", name: str) -> None:
        self.__parent__: Resource | None = parent
        self.__name__ = name
        self.request: Request = parent.request

    def __getitem__(self, name: str) -> "Resource":
        return self.children[name](self, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    @property
    def kind_of_child(self) -> str:
        """What a message says is not there, when there is no child of a name."""
        return "page"

    @property
    def path(self) -> str:
        """The URL path; no name in the tree needs percent-encoding."""
        return "" if self.__parent__ is None else f"{self.__parent__.path}/{self.__name__}"

    @property
    def connection(self) -> SupportsExecute:
        return self.request.connection

    @property
    def user(self) -> HasId:
        """The authenticated user, who owns the data."""
        return self.request.identity

    def quota(self, name: str) -> int:
        """The limit of one of :data:`jobtracker.quotas.QUOTAS`."""
        return self.request.registry.settings[f"quotas.{name}"]

    def notify_deleted(self) -> None:
        self.request.registry.notify(ResourceDeleted(self))

    def notify_restored(self) -> None:
        self.request.registry.notify(ResourceRestored(self))


class ResourceEvent:
    """What happened to a resource, sent within the transaction."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.request = resource.request


class ResourceDeleted(ResourceEvent):
    """It was deleted, or left to the task that deletes it."""


class ResourceRestored(ResourceEvent):
    """It was taken out of the trash."""


class Root(Resource):
    __acl__ = [(Allow, Everyone, Permission.PUBLIC)]

    def __init__(self, request: Request) -> None:
        self.__parent__, self.__name__, self.request = None, "", request


class OwnerOnly(Resource):
    """A resource that only the authenticated user can access, with all below it."""

    def __init__(self, parent: Resource, name: str) -> None:
        super().__init__(parent, name)
        owner = self.request.authenticated_userid
        if owner is None:  # before anything is looked up
            raise Unauthorized
        self.__acl__ = [(Allow, owner, (Permission.READ, Permission.WRITE))]


class Collection(Resource):
    """A resource whose children are items by id, beside those by name."""

    def __getitem__(self, key: str | int) -> Resource:
        if isinstance(key, str) and key in self.children:
            return super().__getitem__(key)
        is_id = isinstance(key, int) or (key.isascii() and key.isdigit() and len(key) < 20)
        if not is_id or not 0 < int(key) <= MAX_ID:
            raise KeyError(key)
        return self.find(int(key))

    def find(self, row_id: int) -> Resource:
        """The item of that id; KeyError when it does not exist, or is another user's."""
        raise KeyError(row_id)


class ItemResource(Resource, Generic[R]):
    """An item of a collection, by the id of its row."""

    def __init__(self, parent: Resource, row: R) -> None:
        super().__init__(parent, str(row.id))
        self.row = row


class RowResource(ItemResource[R]):
    """An item of a collection of the rows of one table."""

    __parent__: "RowCollection[R]"

    @property
    def _repository_arguments(self) -> tuple[SupportsExecute, dict[str, int], int]:
        return self.connection, self.__parent__.owner, self.row.id

    def update_columns(self, **values: Any) -> R:
        """Set some columns of the row; NotFound when it was deleted concurrently."""
        self.row = self.__parent__.repository.update(*self._repository_arguments, values)
        return self.row

    def lock(self) -> R:
        """Lock the row until the end of the transaction and read it. Raises as update_columns()."""
        self.row = self.__parent__.repository.lock(*self._repository_arguments)
        return self.row

    def delete(self, *, permanent: bool = False, **trash_columns: Any) -> None:
        """Put the row into the trash, if it is of a kind that can be; delete it otherwise, or if
        ``permanent``. Raises as update_columns().

        :param trash_columns: as for :meth:`TrashableRepository.trash`
        """
        repository = self.__parent__.repository
        if isinstance(repository, TrashableRepository) and not permanent:
            repository.trash(*self._repository_arguments, TrashReason.USER, **trash_columns)
        else:
            repository.delete(*self._repository_arguments)
            self.notify_deleted()


class RowCollection(Collection, Generic[R]):
    """A collection whose items are the rows of one table that belong to an owner."""

    repository: ClassVar[Repository[Any]]
    item_class: ClassVar[type[RowResource[Any]]]

    @property
    def kind_of_child(self) -> str:
        return self.item_class.kind

    @property
    def owner(self) -> dict[str, int]:
        """The columns that identify the owner, with their values."""
        return {"user_id": self.user.id}

    def find(self, row_id: int) -> RowResource[R]:
        row = self.repository.find(self.connection, self.owner, row_id)
        if row is None:
            raise KeyError(row_id)
        return self.item_class(self, row)

    def page(self, *, limit: int | None = None, after: Sequence[Any] | None = None) -> Page[R]:
        """At most ``limit`` rows, or :data:`jobtracker.db.keyset.MAX_LIST`: those that follow the
        row with the sort keys ``after``; fewer where they exceed MAX_BYTES."""
        return self.repository.page(self.connection, self.owner, limit or MAX_LIST, after)

    def list(self) -> Sequence[R]:
        return self.repository.page(self.connection, self.owner, None).rows

    def count(self) -> int:
        return self.repository.count(self.connection, self.owner)

    def insert(self, **values: Any) -> R:
        return self.repository.insert(self.connection, {**self.owner, **values})

    def insert_within(self, quota: str, **values: Any) -> R:
        """Insert a row, unless the owner has as many as the quota allows.

        What the owner is, job or user, has to be locked by an earlier statement.

        :raises QuotaExceeded: when it has
        """
        limit, new = self.quota(quota), {**self.owner, **values}
        row = self.repository.insert_within(self.connection, self.owner, limit, new)
        if row is None:
            raise QuotaExceeded(quota, limit)
        return row


class PrimaryCollection(RowCollection[R]):
    """A collection that is read from the primary: its changes do not increment the user's revision,
    which is how long a read of a replica waits for it."""

    def find(self, row_id: int) -> RowResource[R]:
        self._release_replica()
        return super().find(row_id)

    def page(self, *, limit: int | None = None, after: Sequence[Any] | None = None) -> Page[R]:
        self._release_replica()
        return super().page(limit=limit, after=after)

    def _release_replica(self) -> None:
        _ = self.user  # after whose row a connection can be one to a replica
        release_autocommit(self.request)


class TrashableCollection(RowCollection[R]):
    """A collection whose items can be in the trash."""

    repository: ClassVar[TrashableRepository[Any]]
    #: Of the number of items.
    quota_name: ClassVar[str]
    #: The constraint that a restored item can violate, and the message in that case.
    place: ClassVar[tuple[str, str]] = ("", "")

    def restore(self, row_id: int) -> RowResource[R]:
        """Take an item out of the trash: it is what it was before.

        :raises NotFound: when there is no such item in the trash
        :raises PlaceTaken: when it violates the constraint of :attr:`place`
        :raises QuotaExceeded: when there are as many items as the quota allows
        """
        self.repository.lock_in_trash(self.connection, self.owner, row_id)
        self.check_quota()
        constraint, message = self.place
        with translate_constraint_error(constraint, PlaceTaken(message)):
            row = self.repository.restore(self.connection, self.owner, row_id)
        return self.item_class(self, row)

    def purge(self, row_id: int) -> None:
        """Delete an item in the trash. Raises NotFound as :meth:`restore`."""
        row = self.repository.lock_in_trash(self.connection, self.owner, row_id)
        self.repository.purge(self.connection, self.owner, row_id)
        self.item_class(self, row).notify_deleted()

    def check_quota(self) -> None:
        """Raise QuotaExceeded when there is no room for another item.

        What the owner is, job or user, has to be locked by an earlier statement.
        """
        if self.count() >= (limit := self.quota(self.quota_name)):
            raise QuotaExceeded(self.quota_name, limit)
