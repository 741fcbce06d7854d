"""The table of steps."""

import datetime
from collections.abc import Sequence

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Select, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db.base import NOW, Base, enum_check, identity, timestamp
from jobtracker.jobs.models import Status

MAX_STEPS = 200
EARLIEST = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class JobStep(Base):
    """A job came to a status.

    The latest step, by ``at`` and then ``id``, is the job's present status. A trigger of jobs
    writes one when a job is made, and when its status becomes another than the latest step's.
    """

    __tablename__ = "job_steps"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "application_id"], ["jobs.user_id", "jobs.id"], ondelete="CASCADE"
        ),
        enum_check("status", Status),
        CheckConstraint("at >= '1970-01-01 00:00:00+00'", name="at"),
        # The steps of a job in their order, with all that the statistics read.
        Index(None, "user_id", "application_id", "at", "id", postgresql_include=["status"]),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = identity()
    application_id: Mapped[int]
    status: Mapped[str]
    at: Mapped[datetime.datetime] = timestamp()
    created_at: Mapped[datetime.datetime] = timestamp()

    def __repr__(self) -> str:
        return f"<JobStep {self.id} {self.status} {self.at}>"

    @classmethod
    def _where(cls, user_id: int, job_id: int) -> "Select[JobStep]":
        return select(cls).where(cls.user_id == user_id, cls.application_id == job_id)

    @classmethod
    def of_job(cls, db: Session, user_id: int, job_id: int) -> Sequence["JobStep"]:
        """The steps of a job, in the order in which they were taken."""
        return db.scalars(cls._where(user_id, job_id).order_by(cls.at, cls.id)).all()

    @classmethod
    def by_id(cls, db: Session, user_id: int, job_id: int, step_id: int) -> "JobStep | None":
        """That step, if it is of that job of that user's."""
        return db.scalar(cls._where(user_id, job_id).where(cls.id == step_id))

    @classmethod
    def record(
        cls,
        db: Session,
        latest: "JobStep",
        status: str,
        at: datetime.datetime | None,
    ) -> "JobStep":
        """One more step of the job that the given one is the latest of; now is after that."""
        step = cls(
            user_id=latest.user_id,
            application_id=latest.application_id,
            status=status,
            at=func.greatest(NOW, latest.at) if at is None else at,
        )
        db.add(step)
        db.flush()
        return step
