"""``root["saved-views"]``: the saved views of whoever is signed in."""

from collections.abc import Sequence
from typing import Any

from jobtracker.db.base import NOW, translate_constraint_error
from jobtracker.db.keyset import MAX_LIMIT, Page
from jobtracker.errors import Conflict
from jobtracker.saved_views.models import MAX_VIEWS, SavedView
from jobtracker.tree import Collection, OwnerOnly, Resource, Root

# The SPA looks for "already exists".
NAME_IS_TAKEN = "A view with this name already exists."


class SavedViewCollection(OwnerOnly, Collection, under=Root, name="saved-views"):
    """``/saved-views``."""

    def find(self, row_id: int) -> "SavedViewResource":
        view = SavedView.by_id(self.db, self.user.id, row_id)
        if view is None:
            raise KeyError(row_id)
        return SavedViewResource(self, view)

    def page(self, *, limit: int = MAX_LIMIT, after: Sequence[Any] | None = None) -> Page:
        """Some of the views, the one that was changed last first."""
        return SavedView.page_of_user(self.db, self.user.id, limit, after)

    def list(self) -> Sequence[SavedView]:
        """The views, the one that was changed last first."""
        return self.page().rows

    def create(self, name: str, data: dict[str, Any]) -> "SavedViewResource":
        """Keep one more.

        :raises Conflict: when the name is taken, or there are as many as there can be
        """
        self.user.lock(self.connection)  # two do not count at once
        if SavedView.count(self.db, self.user.id) >= MAX_VIEWS:
            raise Conflict(f"You can have at most {MAX_VIEWS} saved views.")
        view = SavedView(user_id=self.user.id, name=name, data=data)
        self.db.add(view)
        with translate_constraint_error(SavedView.UNIQUE_NAME, Conflict(NAME_IS_TAKEN)):
            self.db.flush()
        return SavedViewResource(self, view)


class SavedViewResource(Resource):
    """``/saved-views/2``."""

    def __init__(self, parent: Resource, view: SavedView) -> None:
        super().__init__(parent, str(view.id))
        self.view = view

    def update(self, **changes: Any) -> SavedView:
        """Change the name, replace the data. What is as it was already is no change.

        :raises Conflict: when the name is taken
        """
        for name, value in changes.items():
            setattr(self.view, name, value)
        if self.db.is_modified(self.view):
            self.view.updated_at = NOW
            with translate_constraint_error(SavedView.UNIQUE_NAME, Conflict(NAME_IS_TAKEN)):
                self.db.flush()
        return self.view

    def delete(self) -> None:
        """Forget the view."""
        self.view.remove(self.db)
        self.deleted()
