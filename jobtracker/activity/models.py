"""The table of activity."""

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, enum_check, timestamp
from jobtracker.jobs.models import JobChild, job_foreign_key


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


class Activity(JobChild, Base):
    """An event of a job, inserted by triggers in the transaction of the change, never updated."""

    __tablename__ = "activity"
    __table_args__ = (
        job_foreign_key(),
        enum_check("type", ActivityType),
        # The order of a job's list.
        Index(None, "user_id", "application_id", "created_at", "id"),
        # The counts of the last days.
        Index(None, "user_id", "created_at"),
    )

    type: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime.datetime] = timestamp()
