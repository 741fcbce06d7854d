"""The table of activity."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, timestamp
from jobtracker.jobs.models import JobChild, job_foreign_key


class Activity(JobChild, Base):
    """An event of a job, inserted by triggers in the transaction of the change, never updated."""

    __tablename__ = "activity"
    __table_args__ = (
        job_foreign_key(),
        sa.CheckConstraint("type ~ '^[a-z]+(_[a-z]+)*$'", name="type"),
        # The order of a job's list.
        Index(None, "user_id", "application_id", "created_at", "id"),
        # The counts of the last days.
        Index(None, "user_id", "created_at"),
        # Those that have expired.
        Index(None, "created_at"),
    )

    type: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime.datetime] = timestamp()
