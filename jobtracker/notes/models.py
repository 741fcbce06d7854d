"""The table of notes."""

import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, timestamp
from jobtracker.jobs.models import JobChild, job_foreign_key

MAX_BODY = 10_000


class Note(JobChild, Base):
    """A text that the user wrote about a job."""

    __tablename__ = "notes"
    __table_args__ = (
        job_foreign_key(),
        # The order of the list.
        Index(None, "user_id", "application_id", "created_at", "id"),
    )
    activity_types = ("note_added", "note_deleted")

    body: Mapped[str] = mapped_column(String(MAX_BODY))
    created_at: Mapped[datetime.datetime] = timestamp()
