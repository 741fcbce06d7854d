"""The table of activity."""

import datetime
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db.base import NOW, Base, enum_check, identity, timestamp
from jobtracker.db.keyset import Key, Page, Sort


class ActivityType(StrEnum):
    JOB_CREATED = "job_created"
    JOB_UPDATED = "job_updated"
    STATUS_CHANGED = "status_changed"
    TAGS_UPDATED = "tags_updated"
    NOTE_ADDED = "note_added"
    NOTE_DELETED = "note_deleted"
    DOCUMENT_ADDED = "document_added"
    DOCUMENT_UPLOADED = "document_uploaded"
    DOCUMENT_DELETED = "document_deleted"
    INTERVIEW_ADDED = "interview_added"
    INTERVIEW_UPDATED = "interview_updated"
    INTERVIEW_DELETED = "interview_deleted"


class Activity(Base):
    """Something that happened to a job.

    Rows are written by triggers of the tables that they tell of, in the same transaction, and by
    nothing else; nobody changes them. They go with the job.
    """

    __tablename__ = "activity"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "application_id"], ["jobs.user_id", "jobs.id"], ondelete="CASCADE"
        ),
        enum_check("type", ActivityType),
        # The activity of a job, in its order.
        Index(None, "user_id", "application_id", "created_at", "id"),
        # That of the last days.
        Index(None, "user_id", "created_at"),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    application_id: Mapped[int]
    type: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime.datetime] = timestamp()

    def __repr__(self) -> str:
        return f"<Activity {self.id} {self.message}>"

    @classmethod
    def page_of_job(
        cls, db: Session, user_id: int, job_id: int, limit: int, after: Sequence[Any] | None
    ) -> Page:
        """Some of what happened to a job, newest first."""
        query = select(cls).where(cls.user_id == user_id, cls.application_id == job_id)
        return NEWEST_FIRST.page(db, query, limit, after)

    @classmethod
    def per_type(cls, db: Session, user_id: int, *, days: int) -> dict[str, int]:
        """How much of each type happened to the user's jobs in the last so many days."""
        since = NOW - datetime.timedelta(days=days)
        query = select(cls.type, func.count().label("many")).group_by(cls.type).order_by(cls.type)
        counted = db.execute(query.where(cls.user_id == user_id, cls.created_at > since))
        return {row.type: row.many for row in counted}


NEWEST_FIRST = Sort(Key(Activity.created_at, descending=True), Key(Activity.id, descending=True))
