"""``root["users"]["me"]["deletion"]``: what the deletion of the account comprises."""

from jobtracker.accounts import queries
from jobtracker.accounts.queries import ContentRow
from jobtracker.tree import Resource
from jobtracker.users.resources import UserResource


class DeletionResource(Resource, under=UserResource, name="deletion"):
    """``/users/me/deletion``."""

    @property
    def grace_days(self) -> int:
        """The days for which a deletion can be undone."""
        days: int = self.request.registry.settings["accounts.grace_days"]
        return days

    def content(self) -> ContentRow:
        return queries.content(self.connection, self.user.id)
