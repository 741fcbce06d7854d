"""The resource tree, which is the domain API: what a URL names, and what can be done with it.

::

    root
      ├── users
      │     └── me
      │           ├── settings
      │           ├── ui-preferences
      │           └── mfa
      ├── jobs                    the jobs of whoever is signed in
      │     ├── board
      │     ├── search
      │     ├── stats
      │     ├── metrics
      │     └── 7
      │           ├── notes
      │           │     └── 3
      │           ├── documents
      │           │     └── 5
      │           ├── interviews
      │           │     └── 4
      │           ├── history
      │           │     └── 9
      │           ├── activity
      │           └── details
      └── saved-views
            └── 2

Pyramid walks it for each request (traversal), and pshell can walk it by hand::

    root["jobs"][7]["notes"].add(body="Called back.")

A step to what is not there, or is another user's, raises KeyError, which Pyramid answers with 404.
Each class names the node that it hangs under, and its name there, so a new kind of child is a new
folder and no edit elsewhere::

    class NoteCollection(Collection, under=JobResource, name="notes"): ...
"""

from typing import TYPE_CHECKING, Any, ClassVar

from pyramid.authorization import Allow, Everyone
from pyramid.interfaces import ISecurityPolicy
from pyramid.request import Request
from sqlalchemy.orm import Session

from jobtracker.db.connections import SupportsExecute
from jobtracker.errors import Unauthorized
from jobtracker.security import Permission

if TYPE_CHECKING:
    from jobtracker.users.models import UserRow

# PostgreSQL's bigint: no id is beyond it.
MAX_ID = 2**63 - 1


class Resource:
    """A node of the tree. Its children are the classes that hang under it."""

    children: ClassVar[dict[str, type["Resource"]]] = {}

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
    def path(self) -> str:
        """The URL's path; no name in the tree needs an escape."""
        if self.__parent__ is None:
            return ""
        return f"{self.__parent__.path}/{self.__name__}"

    @property
    def db(self) -> Session:
        """The request's session: a transaction where the request may write."""
        return self.request.db

    @property
    def connection(self) -> SupportsExecute:
        """The same as :attr:`db`, for SQL that needs no objects."""
        return self.request.connection

    @property
    def user(self) -> "UserRow":
        """Whoever is signed in, whose data this is."""
        return self.request.identity

    def set_current_user(self, user: "UserRow") -> "UserRow":
        """Whoever is signed in was changed to this."""
        self.request.registry.getUtility(ISecurityPolicy).act_as(self.request, user)
        return user

    def deleted(self) -> None:
        """Tell all who want to know that this node is gone, with all below it."""
        self.request.registry.notify(ResourceDeleted(self))


class ResourceDeleted:
    """The event of a deletion, in the transaction that it is part of."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.request = resource.request


class Collection(Resource):
    """A node whose children are rows, by their id, beside those that have names."""

    def __getitem__(self, key: str | int) -> Resource:
        if isinstance(key, str) and key in self.children:
            return super().__getitem__(key)
        if isinstance(key, str) and not (key.isascii() and key.isdigit() and len(key) < 20):
            raise KeyError(key)
        if not 0 < int(key) <= MAX_ID:
            raise KeyError(key)
        return self.find(int(key))

    def find(self, row_id: int) -> Resource:
        """The child of that id.

        :raises KeyError: when there is none, or it is another user's
        """
        raise KeyError(row_id)


class Root(Resource):
    """Where every walk begins."""

    __acl__ = [(Allow, Everyone, Permission.PUBLIC)]

    def __init__(self, request: Request) -> None:
        self.__parent__ = None
        self.__name__ = ""
        self.request = request


class OwnerOnly(Resource):
    """A node, with all below it, of whoever is signed in, and of nobody else.

    :raises jobtracker.errors.Unauthorized: when nobody is, before anything is looked up
    """

    def __init__(self, parent: Resource, name: str) -> None:
        super().__init__(parent, name)
        owner = self.request.authenticated_userid
        if owner is None:
            raise Unauthorized
        self.__acl__ = [(Allow, owner, (Permission.READ, Permission.WRITE))]
