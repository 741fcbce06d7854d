"""``root["users"]["me"]``: whoever is signed in."""

from typing import Any

from jobtracker.tree import Private, Resource, Root
from jobtracker.users.models import User


class UserCollection(Private, under=Root, name="users"):
    """``/users``: so far nobody but ``me``."""


class UserResource(Resource, under=UserCollection, name="me"):
    """``/users/me``."""

    def change_password(self, access_token: str, current_password: str, new_password: str) -> None:
        """Change the password and end all sign-ins, this one included: refresh tokens are void.

        :raises jobtracker.errors.ApiError: as ``UserPool.change_password``
        """
        self.request.cognito.change_password(access_token, current_password, new_password)


class SettingsResource(Resource, under=UserResource, name="settings"):
    """``/users/me/settings``: how the SPA shows itself to this user."""

    def update(self, **settings: Any) -> User:
        """Set some of them; what is left out stays as it is."""
        for name, value in settings.items():
            setattr(self.user, name, value)
        self.db.flush()
        return self.user
