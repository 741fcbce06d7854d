"""The table of interviews."""

import datetime
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Select, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db.base import Base, enum_check, identity, timestamp
from jobtracker.db.keyset import Key, Page, Sort

MAX_WORD = 50
MAX_NAME = 255
MAX_NOTES = 10_000
MAX_INTERVIEWS = 200


class InterviewStatus(StrEnum):
    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Interview(Base):
    """A date with somebody about a job."""

    __tablename__ = "interviews"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "application_id"], ["jobs.user_id", "jobs.id"], ondelete="CASCADE"
        ),
        enum_check("status", InterviewStatus),
        # The interviews of a job, in their order.
        Index(None, "user_id", "application_id", "scheduled_at", "id"),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    application_id: Mapped[int]
    scheduled_at: Mapped[datetime.datetime]
    # In the user's own words, lowercased: no vocabulary knows how every company hires.
    stage: Mapped[str | None] = mapped_column(String(MAX_WORD))
    kind: Mapped[str | None] = mapped_column(String(MAX_WORD))
    location: Mapped[str | None] = mapped_column(String(MAX_NAME))
    interviewer: Mapped[str | None] = mapped_column(String(MAX_NAME))
    status: Mapped[str] = mapped_column(server_default=InterviewStatus.SCHEDULED)
    notes: Mapped[str | None] = mapped_column(String(MAX_NOTES))
    # When it was written down, and last changed: the job's activity of that moment.
    created_at: Mapped[datetime.datetime] = timestamp()
    updated_at: Mapped[datetime.datetime] = timestamp()

    def __repr__(self) -> str:
        return f"<Interview {self.id} {self.scheduled_at:%Y-%m-%d %H:%M} {self.status}>"

    @classmethod
    def _where(cls, user_id: int, job_id: int) -> "Select[Interview]":
        return select(cls).where(cls.user_id == user_id, cls.application_id == job_id)

    @classmethod
    def page_of_job(
        cls, db: Session, user_id: int, job_id: int, limit: int, after: Sequence[Any] | None
    ) -> Page:
        """Some of the interviews of a job, the last one first."""
        return LAST_FIRST.page(db, cls._where(user_id, job_id), limit, after)

    @classmethod
    def by_id(cls, db: Session, user_id: int, job_id: int, interview_id: int) -> "Interview | None":
        """That interview, if it is for that job of that user's."""
        return db.scalar(cls._where(user_id, job_id).where(cls.id == interview_id))

    @classmethod
    def count(cls, db: Session, user_id: int, job_id: int) -> int:
        """How many a job has."""
        return db.scalar(cls._where(user_id, job_id).with_only_columns(func.count())) or 0


LAST_FIRST = Sort(Key(Interview.scheduled_at, descending=True), Key(Interview.id, descending=True))
