"""The table of contacts."""

from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base
from jobtracker.db.trash import live_index, trash_table_args
from jobtracker.jobs.models import TrashableJobChild, job_foreign_key

MAX_NAME = 255


class Contact(TrashableJobChild, Base):
    """A person at a job's company."""

    __tablename__ = "contacts"
    __table_args__ = (
        job_foreign_key(),
        live_index("ix_contacts_live", "user_id", "application_id", "name", "id"),
        Index(None, "user_id", "application_id"),
        *trash_table_args("contacts"),
    )
    trash_kind = "contact"
    activity_types = ("contact_added", "contact_deleted")

    name: Mapped[str] = mapped_column(String(MAX_NAME))

    @classmethod
    def trash_title(cls) -> Any:
        return cls.name
