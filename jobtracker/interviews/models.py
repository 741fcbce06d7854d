"""The table of interviews."""

import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, enum_check, timestamp
from jobtracker.db.trash import live_index, trash_table_args
from jobtracker.jobs.models import TrashableJobChild, job_foreign_key

MAX_WORD = 50
MAX_NAME = 255
MAX_NOTES = 10_000


class InterviewStatus(StrEnum):
    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Interview(TrashableJobChild, Base):
    __tablename__ = "interviews"
    __table_args__ = (
        job_foreign_key(),
        enum_check("status", InterviewStatus),
        # The order of the list.
        live_index("ix_interviews_live", "user_id", "application_id", "scheduled_at", "id"),
        # The deletion of the job.
        Index(None, "user_id", "application_id"),
        *trash_table_args("interviews"),
    )
    trash_kind = "interview"
    activity_types = ("interview_added", "interview_updated", "interview_deleted")

    scheduled_at: Mapped[datetime.datetime]
    # Free text, lowercased: every company names its rounds differently.
    stage: Mapped[str | None] = mapped_column(String(MAX_WORD))
    kind: Mapped[str | None] = mapped_column(String(MAX_WORD))
    location: Mapped[str | None] = mapped_column(String(MAX_NAME))
    interviewer: Mapped[str | None] = mapped_column(String(MAX_NAME))
    status: Mapped[str] = mapped_column(server_default=InterviewStatus.SCHEDULED)
    notes: Mapped[str | None] = mapped_column(String(MAX_NOTES))
    # Equal to the job's last_activity_at of that change.
    created_at: Mapped[datetime.datetime] = timestamp()
    updated_at: Mapped[datetime.datetime] = timestamp()

    @classmethod
    def trash_title(cls) -> Any:
        return func.coalesce(cls.stage, cls.kind, "")
