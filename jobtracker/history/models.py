"""The table of steps."""

import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped

from jobtracker.db.base import Base, enum_check, timestamp
from jobtracker.jobs.models import JobChild, Status, job_foreign_key

EARLIEST = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class StepOrigin(StrEnum):
    """What a trigger inserted a step for."""

    STATUS = "status"
    APPLIED_DATE = "applied_date"


class JobStep(JobChild, Base):
    """The time from which a job had a status.

    The latest step, by ``at`` and then ``id``, is the job's current status. A trigger of jobs
    inserts one for a new job, and when its status becomes another than the latest step's. It
    moves those that it has inserted to the applied date, and deletes them when the status soon
    changes back: docs/decisions/history.md.
    """

    __tablename__ = "job_steps"
    __table_args__ = (
        job_foreign_key(),
        enum_check("status", Status),
        enum_check("origin", StepOrigin),
        CheckConstraint("at >= '1970-01-01 00:00:00+00'", name="at"),
        # The steps of a job in their order, with all that the statistics read.
        Index(None, "user_id", "application_id", "at", "id", postgresql_include=["status"]),
        # Those that an applied date has moved or inserted, which it can move again.
        Index(
            None,
            "user_id",
            "application_id",
            postgresql_where=text(
                "origin = 'applied_date' OR origin = 'status' AND at <> created_at"
            ),
        ),
    )

    status: Mapped[str]
    at: Mapped[datetime.datetime] = timestamp()
    # Of a step for a status: its time without an applied date.
    created_at: Mapped[datetime.datetime] = timestamp()
    # None: the user entered it. Triggers neither move nor delete it then.
    origin: Mapped[str | None]
