"""The table of notes."""

import datetime
from collections.abc import Sequence

from sqlalchemy import ForeignKeyConstraint, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db import Base, identity, timestamp

MAX_BODY = 10_000


class Note(Base):
    """Something that a user wrote down about a job."""

    __tablename__ = "notes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "application_id"], ["jobs.user_id", "jobs.id"], ondelete="CASCADE"
        ),
        # The notes of a job, in their order.
        Index(None, "user_id", "application_id", "created_at", "id"),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    application_id: Mapped[int]
    body: Mapped[str] = mapped_column(String(MAX_BODY))
    created_at: Mapped[datetime.datetime] = timestamp()

    def __repr__(self) -> str:
        return f"<Note {self.id} {self.body[:40]!r}>"

    @classmethod
    def of_job(cls, db: Session, user_id: int, job_id: int) -> Sequence["Note"]:
        """The notes of a job, newest first."""
        query = select(cls).where(cls.user_id == user_id, cls.application_id == job_id)
        return db.scalars(query.order_by(cls.created_at.desc(), cls.id.desc())).all()

    @classmethod
    def by_id(cls, db: Session, user_id: int, job_id: int, note_id: int) -> "Note | None":
        """That note, if it is on that job of that user's."""
        return db.scalar(
            select(cls).where(
                cls.user_id == user_id, cls.application_id == job_id, cls.id == note_id
            )
        )
