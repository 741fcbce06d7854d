"""``root["users"]["me"]``: whoever is signed in."""

from collections.abc import Mapping
from typing import Any

from jobtracker.db import refused_by
from jobtracker.errors import Invalid
from jobtracker.tree import Private, Resource, Root
from jobtracker.users.models import MAX_PREFERENCES, User

TOO_MANY_PREFERENCES = {
    "loc": ["body", "preferences"],
    "msg": f"There can be at most {MAX_PREFERENCES} in all.",
    "type": "too_long",
}


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


class UiPreferencesResource(Resource, under=UserResource, name="ui-preferences"):
    """``/users/me/ui-preferences``: what this user has switched on and off."""

    def update(self, preferences: Mapping[str, bool | None]) -> User:
        """Set some of them, and remove those that are None; what is left out stays as it is.

        :raises Invalid: when there would be too many
        """
        present = self.user.ui_preferences
        if any(present.get(key) is not value for key, value in preferences.items()):
            with refused_by(User.PREFERENCES_COUNT, Invalid([TOO_MANY_PREFERENCES])):
                self.user.merge_ui_preferences(self.db, preferences)
        return self.user
