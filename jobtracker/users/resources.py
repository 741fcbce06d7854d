"""``root["users"]["me"]``: whoever is signed in."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from jobtracker.db.base import translate_constraint_error
from jobtracker.errors import ValidationFailed, VersionConflict
from jobtracker.tree import OwnerOnly, Resource, Root
from jobtracker.users.models import MAX_PREFERENCES, SETTINGS, User, UserRow

TOO_MANY_PREFERENCES = {
    "loc": ["body", "preferences"],
    "msg": f"There can be at most {MAX_PREFERENCES} in all.",
    "type": "too_long",
}


class UserCollection(OwnerOnly, under=Root, name="users"):
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

    @property
    def version(self) -> str:
        """What the settings are known by: the same settings, the same version."""
        return _version(self.user)

    def update(self, versions: Collection[str] | None = None, **settings: Any) -> UserRow:
        """Set some of them; what is left out stays as it is.

        :param versions: those that they may be of, in the eyes of whoever changes them
        :raises VersionConflict: when they are of another
        """
        user = self.user
        if versions is not None:
            user = user.lock(self.connection)
            if _version(user) not in versions:
                raise VersionConflict(user)
        return self.set_current_user(user.change(self.connection, **settings) if settings else user)


class UiPreferencesResource(Resource, under=UserResource, name="ui-preferences"):
    """``/users/me/ui-preferences``: what this user has switched on and off."""

    def update(self, preferences: Mapping[str, bool | None]) -> UserRow:
        """Set some of them, and remove those that are None; what is left out stays as it is.

        :raises ValidationFailed: when there would be too many
        """
        if not preferences:
            return self.user
        with translate_constraint_error(
            User.PREFERENCES_COUNT, ValidationFailed([TOO_MANY_PREFERENCES])
        ):
            return self.set_current_user(
                self.user.merge_ui_preferences(self.connection, preferences)
            )


def _version(user: UserRow) -> str:
    settings = "\n".join(str(getattr(user, name)) for name in SETTINGS)
    return hashlib.sha256(settings.encode()).hexdigest()[:16]
