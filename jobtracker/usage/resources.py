"""``root["users"]["me"]["usage"]``."""

from jobtracker.quotas import QUOTAS
from jobtracker.tree import Resource
from jobtracker.usage import queries
from jobtracker.users.resources import UserResource


class UsageResource(Resource, under=UserResource, name="usage"):
    """``/users/me/usage``."""

    def read(self) -> dict[str, dict[str, int]]:
        """For each quota, what the user has and the limit; and what is in the trash."""
        used = queries.read(self.connection, self.user.id)._asdict()
        usage = {name: {"used": used[name], "limit": self.quota(name)} for name in QUOTAS}
        return usage | {"trash": {"count": used["trash_count"], "bytes": used["trash_bytes"]}}
