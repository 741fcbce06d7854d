"""What the steps of each job come to, and the funnel of all of them, in one statement."""

import datetime
from collections import Counter
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    ForeignKeyConstraint,
    Integer,
    Select,
    case,
    func,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db.base import Base
from jobtracker.jobs.models import TERMINAL_STATUSES, Kind, Status

#: The rungs of the ladder, in their order. What is closed has left it.
STAGES = tuple(kind for kind in Kind if kind is not Kind.CLOSED)
TOP = len(STAGES)

STATUSES = tuple(Status)
SECONDS_OF_A_DAY = 86400


class JobFunnelSummary(Base):
    """What the steps of a job come to. Triggers of job_steps keep it true, and write nothing else.

    Rungs are numbered from 1, as PostgreSQL counts in arrays.
    """

    __tablename__ = "job_journeys"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "application_id"], ["jobs.user_id", "jobs.id"], ondelete="CASCADE"
        ),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # The moment of the first step; the status that the latest leads to, and its moment.
    began: Mapped[datetime.datetime]
    status: Mapped[str]
    since: Mapped[datetime.datetime]
    # The rung it is on, where it is on one; the furthest, but for the top, that it ever was on.
    rung: Mapped[int | None] = mapped_column(Integer)
    source: Mapped[int | None] = mapped_column(Integer)
    # The rungs that it ever was on, and those of them that a later one came after: a bit each.
    reached: Mapped[int] = mapped_column(Integer)
    went_on: Mapped[int] = mapped_column(Integer)
    # For each rung the days there in all, up to the latest step; null where it never was there.
    days: Mapped[list[float | None]] = mapped_column(ARRAY(Double))
    # The changes of status: a byte each, the rank of the one before * 11 + the rank of the next.
    edges: Mapped[bytes]


def _funnel(
    user_id: int,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    now: datetime.datetime,
) -> Select[Any]:
    cohort = [JobFunnelSummary.user_id == user_id]
    if since is not None:
        cohort.append(JobFunnelSummary.began >= since)
    if until is not None:
        cohort.append(JobFunnelSummary.began < until)
    outcome = (JobFunnelSummary.source, JobFunnelSummary.status)
    outcomes = (
        select(*outcome, func.count().label("count"))
        .where(*cohort, JobFunnelSummary.status.in_(TERMINAL_STATUSES))
        .group_by(*outcome)
        .order_by(JobFunnelSummary.source.nulls_first(), JobFunnelSummary.status)
        .subquery()
    )
    rungs = range(1, TOP + 1)
    reached, went_on = (
        func.json_build_array(
            *(func.count().filter(column.op("&")(1 << rung) != 0) for rung in rungs)
        )
        for column in (JobFunnelSummary.reached, JobFunnelSummary.went_on)
    )
    medians = (func.percentile_cont(0.5).within_group(_days_on(rung, now).asc()) for rung in rungs)
    return select(
        func.count().label("total"),
        reached.label("reached"),
        went_on.label("went_on"),
        func.json_build_array(*medians).label("median_days"),
        func.string_agg(JobFunnelSummary.edges, b"").label("edges"),
        select(func.json_agg(outcomes.table_valued())).scalar_subquery().label("outcomes"),
    ).where(*cohort)


def _days_on(rung: int, now: datetime.datetime) -> ColumnElement[Any]:
    days = JobFunnelSummary.days[rung]
    if rung == TOP:  # nobody waits there for what is next
        return days
    waiting = (
        func.greatest(func.date_part("epoch", now - JobFunnelSummary.since), 0) / SECONDS_OF_A_DAY
    )
    return days + case((JobFunnelSummary.rung == rung, waiting), else_=0)


def funnel_of_user(
    db: Session,
    user_id: int,
    *,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    now: datetime.datetime,
) -> dict[str, Any]:
    """What became of the user's jobs, those whose first step lies in [since, until).

    - ``stages``, one for each rung of the ladder (lead, applied, screening, interview, offer,
      accepted). ``reached``: jobs that ever had a step of that very kind; a stage that was skipped
      was not reached. ``conversion``: of those, the part that came to any later rung after they
      first came to this one, 0 to 1; None where nobody was, and on the last rung. ``median_days``:
      the median, over the jobs that were there, of all the time that each spent there; a stage that
      a job is at counts up to ``now``, except the last.
    - ``outcomes``: of the jobs that are now closed or accepted, how many by their status and by
      the furthest rung (lead to offer) that they ever were on; None where there was none.
    - ``edges``: how often a status followed another; itself is none.
    - ``total``: the jobs.
    """
    found = db.execute(_funnel(user_id, since, until, now)).one()
    return {
        "stages": [
            {
                "stage": kind,
                "reached": reached,
                "conversion": _ratio(went_on, reached) if kind is not STAGES[-1] else None,
                "median_days": None if days is None else round(days, 4),
            }
            for kind, reached, went_on, days in zip(
                STAGES, found.reached, found.went_on, found.median_days, strict=True
            )
        ],
        "outcomes": [
            {
                "source": row["source"] and STAGES[row["source"] - 1],
                "outcome": row["status"],
                "count": row["count"],
            }
            for row in found.outcomes or ()
        ],
        "edges": _edges(found.edges or b""),
        "total": found.total,
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _edges(edges: bytes) -> list[dict[str, Any]]:
    # Python counts 35,000 bytes in a millisecond; PostgreSQL needs eight for as many rows.
    counted = [
        {"from": STATUSES[edge // len(STATUSES)], "to": STATUSES[edge % len(STATUSES)], "count": n}
        for edge, n in Counter(edges).items()
    ]
    return sorted(counted, key=lambda edge: (edge["from"], edge["to"]))
