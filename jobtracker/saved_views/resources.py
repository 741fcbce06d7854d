"""``root["saved-views"]``: the saved views of the authenticated user."""

from typing import Any

from jobtracker.db.base import translate_constraint_error
from jobtracker.errors import Conflict
from jobtracker.renderer import json_dumps
from jobtracker.saved_views.models import SavedView
from jobtracker.saved_views.queries import SAVED_VIEWS, SavedViewRow
from jobtracker.tree import OwnerOnly, Root, RowResource, TrashableCollection
from jobtracker.users import queries as users

# The SPA looks for "already exists".
NAME_IS_TAKEN = "A view with this name already exists."


class SavedViewResource(RowResource[SavedViewRow]):
    """``/saved-views/2``."""

    __parent__: "SavedViewCollection"
    kind = "saved view"

    def delete(self, *, permanent: bool = False, **trash_columns: Any) -> None:
        self.__parent__.lock_user()
        super().delete(permanent=permanent, **trash_columns)

    def update(self, **changes: Any) -> SavedViewRow:
        """Set the name or data. Equal values are no change. Conflict when the name is taken."""
        current = {name: getattr(self.row, name) for name in changes}
        # As JSON: to Python true equals 1.
        if json_dumps(current, sort_keys=True) != json_dumps(changes, sort_keys=True):
            if "name" in changes:
                self.__parent__.lock_user()
            with translate_constraint_error(SavedView.UNIQUE_NAME, Conflict(NAME_IS_TAKEN)):
                self.update_columns(**changes)
        return self.row


class SavedViewCollection(
    OwnerOnly, TrashableCollection[SavedViewRow], under=Root, name="saved-views"
):
    """``/saved-views``, latest change first."""

    repository, item_class = SAVED_VIEWS, SavedViewResource
    quota_name = "saved_views"
    place = (SavedView.UNIQUE_NAME, NAME_IS_TAKEN)

    def create(self, name: str, data: dict[str, Any]) -> SavedViewResource:
        """:raises Conflict: when the name is taken
        :raises QuotaExceeded: when the user has the maximum number of views"""
        self.lock_user()
        with translate_constraint_error(SavedView.UNIQUE_NAME, Conflict(NAME_IS_TAKEN)):
            row = self.insert_within(self.quota_name, name=name, data=data)
        return SavedViewResource(self, row)

    def check_quota(self) -> None:
        self.lock_user()
        super().check_quota()

    def lock_user(self) -> None:
        """Serialize what uses or frees a name, so that the quota holds. An INSERT waits for the
        transaction that frees its name, and that one for the user's row at its end: they would
        deadlock."""
        users.USERS.lock(self.connection, {}, self.user.id)
