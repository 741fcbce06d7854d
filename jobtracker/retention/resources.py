"""``root["users"]["me"]["retention"]``."""

from jobtracker.db.statements import database_time
from jobtracker.retention import queries
from jobtracker.retention.queries import RetentionRow
from jobtracker.tree import Resource
from jobtracker.users.resources import UserResource


class RetentionResource(Resource, under=UserResource, name="retention"):
    """``/users/me/retention``."""

    __parent__: UserResource

    def read(self) -> RetentionRow:
        user = self.__parent__.row
        now = user.read_at or database_time(self.connection)
        return queries.read(self.connection, user.id, now)
