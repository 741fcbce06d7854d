"""The SQL of the report on applications."""

import datetime
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, aggregate_order_by

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement, columns_of
from jobtracker.history.models import JobStep
from jobtracker.interviews.models import Interview, InterviewStatus
from jobtracker.jobs.models import Job

# Jobs of one statement.
BATCH = 1000


class ApplicationRow(NamedTuple):
    """A job with its steps, in their order."""

    id: int
    company_name: str
    job_title: str
    location: str | None
    job_url: str | None
    status: str
    applied_date: datetime.date | None
    last_action_at: datetime.datetime | None
    step_statuses: list[str]
    step_times: list[datetime.datetime]
    #: Of the interviews that were not cancelled, the last that has begun, and the next one.
    last_interview_at: datetime.datetime | None
    next_interview_at: datetime.datetime | None


_USER_ID = sa.bindparam("user_id", type_=sa.BigInteger)
_STATUSES = sa.bindparam("statuses", type_=ARRAY(TEXT))


_IN_ORDER = (JobStep.at, JobStep.id)
_STEPS = (
    sa.select(
        sa.func.array_agg(aggregate_order_by(JobStep.status, *_IN_ORDER)).label("statuses"),
        sa.func.array_agg(aggregate_order_by(JobStep.at, *_IN_ORDER)).label("times"),
    )
    .where(JobStep.user_id == _USER_ID, JobStep.application_id == Job.id)
    .lateral("steps")
)
_HAS_BEGUN = Interview.scheduled_at <= NOW
_INTERVIEWS = (
    sa.select(
        sa.func.max(Interview.scheduled_at).filter(_HAS_BEGUN).label("last"),
        sa.func.min(Interview.scheduled_at).filter(sa.not_(_HAS_BEGUN)).label("next"),
    )
    .where(
        Interview.user_id == _USER_ID,
        Interview.application_id == Job.id,
        Interview.trashed_at.is_(None),
        Interview.status != InterviewStatus.CANCELLED,
    )
    .lateral("interviews")
)
_OF_CHILDREN = {
    "step_statuses": _STEPS.c.statuses,
    "step_times": _STEPS.c.times,
    "last_interview_at": _INTERVIEWS.c.last,
    "next_interview_at": _INTERVIEWS.c.next,
}
_APPLICATIONS = Statement(
    sa.select(*columns_of(Job, ApplicationRow, _OF_CHILDREN))
    .select_from(sa.join(Job, _STEPS, sa.true()).join(_INTERVIEWS, sa.true()))
    .where(
        Job.user_id == _USER_ID,
        Job.trashed_at.is_(None),
        Job.id > sa.bindparam("after", type_=sa.BigInteger),
        sa.or_(_STATUSES.is_(None), Job.status == sa.any_(_STATUSES)),
    )
    .order_by(Job.id)
    .limit(sa.bindparam("limit", type_=sa.BigInteger)),
    ApplicationRow,
)


def applications(
    connection: SupportsExecute, user_id: int, statuses: Sequence[str] | None
) -> Iterator[ApplicationRow]:
    """The user's jobs, by id, in batches.

    :param statuses: the statuses of the jobs; None for any
    """
    after, is_last = 0, False
    while not is_last:
        rows = _APPLICATIONS.all(
            connection, user_id=user_id, statuses=statuses, after=after, limit=BATCH
        )
        yield from rows
        after, is_last = rows[-1].id if rows else 0, len(rows) < BATCH
