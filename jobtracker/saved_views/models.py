"""The table of saved views."""

import datetime
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Select,
    String,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db.base import Base, identity, timestamp, updated_at_column
from jobtracker.db.keyset import Key, Page, Sort
from jobtracker.renderer import json_dumps

MAX_NAME = 80
MAX_BYTES = 16 * 1024
MAX_VIEWS = 100


class ExactJson(JSON):
    """JSON as it was written. PostgreSQL's json, not jsonb, which writes 1e300 as 301 digits.

    What is equal to Python need not be to JSON: true is not 1.
    """

    cache_ok = True

    def compare_values(self, x: Any, y: Any) -> bool:
        return json_dumps(x, sort_keys=True) == json_dumps(y, sort_keys=True)


class SavedView(Base):
    """Filters, columns and whatever else the client keeps under a name; we do not look into it."""

    __tablename__ = "saved_views"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        UniqueConstraint("user_id", "name"),
        CheckConstraint(
            f"json_typeof(data) = 'object' AND octet_length(data::text) <= {MAX_BYTES}", name="data"
        ),
        # GET /saved-views, in its order.
        Index(None, "user_id", "updated_at", "id"),
    )
    UNIQUE_NAME = "uq_saved_views_user_id_name"

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    data: Mapped[dict[str, Any]] = mapped_column(ExactJson)
    created_at: Mapped[datetime.datetime] = timestamp()
    updated_at: Mapped[datetime.datetime] = updated_at_column()

    def __repr__(self) -> str:
        return f"<SavedView {self.id} {self.name!r}>"

    @classmethod
    def _where(cls, user_id: int) -> "Select[SavedView]":
        return select(cls).where(cls.user_id == user_id)

    @classmethod
    def page_of_user(
        cls, db: Session, user_id: int, limit: int, after: Sequence[Any] | None
    ) -> Page:
        """Some of the user's views, the one that was changed last first."""
        return LATEST_FIRST.page(db, cls._where(user_id), limit, after)

    @classmethod
    def by_id(cls, db: Session, user_id: int, view_id: int) -> "SavedView | None":
        """That view, if it is that user's."""
        return db.scalar(cls._where(user_id).where(cls.id == view_id))

    @classmethod
    def count(cls, db: Session, user_id: int) -> int:
        """How many the user has."""
        return db.scalar(cls._where(user_id).with_only_columns(func.count())) or 0


LATEST_FIRST = Sort(Key(SavedView.updated_at, descending=True), Key(SavedView.id, descending=True))
