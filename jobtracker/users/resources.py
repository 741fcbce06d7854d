"""``root["users"]["me"]``: the authenticated user."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, cast

from jobtracker.db.base import translate_constraint_error
from jobtracker.errors import ValidationFailed, VersionConflict
from jobtracker.tree import OwnerOnly, Resource, Root
from jobtracker.users import queries
from jobtracker.users.models import MAX_PREFERENCES, SETTINGS, User
from jobtracker.users.queries import UserRow


class UserCollection(OwnerOnly, under=Root, name="users"):
    """``/users``: its only child is ``me``."""


class UserResource(Resource, under=UserCollection, name="me"):
    """``/users/me``."""

    @property
    def row(self) -> UserRow:
        return cast(UserRow, self.user)

    def set_current_user(self, user: UserRow) -> UserRow:
        """Replace request.current_user."""
        self.request.current_user = user
        return user


class SettingsResource(Resource, under=UserResource, name="settings"):
    """``/users/me/settings``: the user's settings of the SPA."""

    __parent__: UserResource

    @property
    def version(self) -> str:
        """A digest of the settings, for If-Match."""
        return _version(self.__parent__.row)

    def update(self, versions: Collection[str] | None = None, **settings: Any) -> UserRow:
        """Set some settings; VersionConflict unless they have one of the versions, if given."""
        user = self.__parent__.row
        if versions is not None:
            user = queries.USERS.lock(self.connection, {}, user.id)
            if _version(user) not in versions:
                raise VersionConflict(user)
        if settings:
            user = queries.USERS.update(self.connection, {}, user.id, settings)
        return self.__parent__.set_current_user(user)


class UiPreferencesResource(Resource, under=UserResource, name="ui-preferences"):
    """``/users/me/ui-preferences``: boolean options of the SPA."""

    __parent__: UserResource

    def update(self, preferences: Mapping[str, bool | None]) -> UserRow:
        """Set some preferences, and remove those that are None; ValidationFailed if too many."""
        user = self.__parent__.row
        if not preferences:
            return user
        message = f"There can be at most {MAX_PREFERENCES} in all."
        too_many = ValidationFailed.for_field("body", "preferences", message, "too_long")
        with translate_constraint_error(User.PREFERENCES_COUNT, too_many):
            user = queries.merge_ui_preferences(self.connection, user.id, preferences)
        return self.__parent__.set_current_user(user)


def _version(user: UserRow) -> str:
    settings = "\n".join(str(getattr(user, name)) for name in SETTINGS)
    return hashlib.sha256(settings.encode()).hexdigest()[:16]
