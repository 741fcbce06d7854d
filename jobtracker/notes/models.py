"""The table of notes."""

import datetime
from typing import Any

from sqlalchemy import Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, timestamp
from jobtracker.db.trash import live_index, trash_table_args
from jobtracker.jobs.models import TrashableJobChild, job_foreign_key

MAX_BODY = 10_000
# Of the title in the trash.
MAX_TITLE = 100


class Note(TrashableJobChild, Base):
    """A text that the user wrote about a job."""

    __tablename__ = "notes"
    __table_args__ = (
        job_foreign_key(),
        # The order of the list.
        live_index("ix_notes_live", "user_id", "application_id", "created_at", "id"),
        # The deletion of the job.
        Index(None, "user_id", "application_id"),
        *trash_table_args("notes"),
    )
    trash_kind = "note"
    activity_types = ("note_added", "note_deleted")

    body: Mapped[str] = mapped_column(String(MAX_BODY))
    created_at: Mapped[datetime.datetime] = timestamp()

    @classmethod
    def trash_title(cls) -> Any:
        return func.left(cls.body, MAX_TITLE)
