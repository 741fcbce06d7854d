"""The SQL of saved views."""

import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from jobtracker.db.keyset import newest_first
from jobtracker.db.trashable_rows import TrashableRepository
from jobtracker.saved_views.models import SavedView


class SavedViewRow(NamedTuple):
    user_id: int
    id: int
    name: str
    data: dict[str, Any]
    created_at: datetime.datetime
    updated_at: datetime.datetime


ORDER = newest_first(SavedView, "updated_at")
SAVED_VIEWS = TrashableRepository(
    SavedView,
    SavedViewRow,
    owner_columns=("user_id",),
    order=ORDER,
    sets_updated_at=True,
    texts=[sa.cast(SavedView.data, sa.Text)],
)
