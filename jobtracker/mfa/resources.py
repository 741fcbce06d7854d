"""``root["users"]["me"]["mfa"]``: the second factors of the user, which Cognito stores."""

from jobtracker.tree import Resource
from jobtracker.users.resources import UserResource


class MfaResource(Resource, under=UserResource, name="mfa"):
    """``/users/me/mfa``."""

    def __init__(self, parent: Resource, name: str) -> None:
        super().__init__(parent, name)
        _ = self.user  # 401 if the token is revoked, of which Cognito may not know
