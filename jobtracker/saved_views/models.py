"""The table of saved views."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, identity, timestamp
from jobtracker.db.trash import Trashable, live_index, trash_table_args

MAX_NAME = 80
MAX_BYTES = 16 * 1024


class SavedView(Trashable, Base):
    """Filters, columns and other options of the client under a name, opaque to the server."""

    __tablename__ = "saved_views"
    __table_args__ = (
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        live_index("uq_saved_views_user_id_name", "user_id", sa.text("fold(name)"), unique=True),
        sa.CheckConstraint(
            f"json_typeof(data) = 'object' AND octet_length(data::text) <= {MAX_BYTES}", name="data"
        ),
        # The order of the list.
        live_index("ix_saved_views_live", "user_id", "updated_at", "id"),
        *trash_table_args("saved_views"),
    )
    UNIQUE_NAME = "uq_saved_views_user_id_name"
    trash_kind = "saved_view"

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(sa.String(MAX_NAME))
    # json, not jsonb, which writes 1e300 as 301 digits.
    data: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime.datetime] = timestamp()
    updated_at: Mapped[datetime.datetime] = timestamp()

    @classmethod
    def trash_title(cls) -> Any:
        return cls.name
