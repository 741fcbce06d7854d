"""The table of contacts."""

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base
from jobtracker.jobs.models import JobChild, job_foreign_key

MAX_NAME = 255


class Contact(JobChild, Base):
    """A person at a job's company."""

    __tablename__ = "contacts"
    __table_args__ = (job_foreign_key(), Index(None, "user_id", "application_id", "name", "id"))
    activity_types = ("contact_added", "contact_deleted")

    name: Mapped[str] = mapped_column(String(MAX_NAME))
