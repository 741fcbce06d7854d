"""``root["users"]["me"]["mfa"]``: the second factors of the user, which Cognito stores."""

from jobtracker.tree import Resource
from jobtracker.users.resources import UserResource


class MfaResource(Resource, under=UserResource, name="mfa"):
    """``/users/me/mfa``."""
