"""The table of the funnel's summaries."""

import datetime

from sqlalchemy import ARRAY, Double, Integer
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base
from jobtracker.jobs.models import Stage, job_foreign_key

#: The stages of the funnel, in their order.
STAGES = tuple(stage for stage in Stage if stage is not Stage.CLOSED)


class JobFunnelSummary(Base):
    """What the funnel counts of a job, computed from its steps by triggers of ``job_steps``.

    Stages are numbered from 1, as elements of PostgreSQL's arrays. Archiving ends the time in a
    stage, and is otherwise ignored.
    """

    __tablename__ = "job_journeys"
    __table_args__ = (job_foreign_key(),)

    user_id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # The time of the first step; the latest status but archived, unless there is no other; the
    # time of the latest step.
    began: Mapped[datetime.datetime]
    status: Mapped[str]
    since: Mapped[datetime.datetime]
    # The current stage, unless closed or archived, and the furthest one before the last.
    stage_index: Mapped[int | None] = mapped_column("rung", Integer)
    source: Mapped[int | None] = mapped_column(Integer)
    # Bit sets of the stages that were reached, and of those that a later one followed.
    reached: Mapped[int] = mapped_column(Integer)
    advanced: Mapped[int] = mapped_column("went_on", Integer)
    # Days in each stage until the latest step; null where it was not reached.
    days: Mapped[list[float | None]] = mapped_column(ARRAY(Double))
    # A byte for each change of status: rank of the old one * 11 + rank of the new one.
    transitions: Mapped[bytes] = mapped_column("edges")
    # From which the summary is carried on, when steps are added at the end or deleted there: the
    # number of steps, of those in each stage, and of those in a later stage after its first one.
    steps: Mapped[int] = mapped_column(Integer)
    visits: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    advances: Mapped[list[int]] = mapped_column(ARRAY(Integer))
