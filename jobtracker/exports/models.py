"""The table of exports."""

import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, identity, timestamp

#: How long an export is kept.
KEPT = datetime.timedelta(days=7)


class Export(Base):
    """An archive in S3, or one that a task is to write: its state is that of the task.

    A trigger of the table inserts the key of a deleted row into ``object_deletions``.
    """

    __tablename__ = "exports"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        CheckConstraint(
            "num_nulls(size_bytes, sha256, revision, counts) IN (0, 4)", name="is_complete"
        ),
        # Those that have expired.
        Index(None, "expires_at"),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    task_id: Mapped[int]
    #: Whether the files of documents are in it.
    documents: Mapped[bool]
    object_key: Mapped[str]
    created_at: Mapped[datetime.datetime] = timestamp()
    expires_at: Mapped[datetime.datetime]
    # Of a complete one.
    size_bytes: Mapped[int | None]
    sha256: Mapped[str | None]
    #: That of the user, of which it is the state.
    revision: Mapped[int | None]
    #: The rows by kind.
    counts: Mapped[dict[str, int] | None] = mapped_column(JSONB(none_as_null=True))
