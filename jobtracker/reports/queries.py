"""The SQL of the report on applications."""

import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, aggregate_order_by

from jobtracker.db.base import IDS, NOW, USER_ID
from jobtracker.db.statements import Statement, columns_of
from jobtracker.history.models import JobStep
from jobtracker.interviews.models import Interview, InterviewStatus
from jobtracker.jobs.models import Job, Status

#: The statuses of a job for which nobody has applied, if it had no other.
NOT_APPLIED = (Status.SAVED, Status.ARCHIVED)


class DateRow(NamedTuple):
    """A job, and what its date and that of its next interview are computed from."""

    id: int
    applied_date: datetime.date | None
    #: Of the first step that is an application.
    first_step_at: datetime.datetime | None
    next_interview_at: datetime.datetime | None


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
    #: Of the interviews that were not cancelled, the last that has begun.
    last_interview_at: datetime.datetime | None


_STATUSES = sa.bindparam("statuses", type_=ARRAY(TEXT))

_OF_USER = (Job.user_id == USER_ID, Job.trashed_at.is_(None))
_STEPS_OF_JOB = (JobStep.user_id == USER_ID, JobStep.application_id == Job.id)
_FIRST_STEP_AT = (
    sa.select(sa.func.min(JobStep.at))
    .where(*_STEPS_OF_JOB, *(JobStep.status != status for status in NOT_APPLIED))
    .scalar_subquery()
)


def _interview_at(function: Any, condition: Any) -> Any:
    """The first or last time of a job's interviews that were not cancelled."""
    return (
        sa.select(function(Interview.scheduled_at))
        .where(
            Interview.user_id == USER_ID,
            Interview.application_id == Job.id,
            Interview.trashed_at.is_(None),
            Interview.status != InterviewStatus.CANCELLED,
            condition,
        )
        .scalar_subquery()
    )


#: All jobs, or those with one of the statuses.
DATES = Statement(
    sa.select(
        *columns_of(
            Job,
            DateRow,
            {
                "first_step_at": _FIRST_STEP_AT,
                "next_interview_at": _interview_at(sa.func.min, Interview.scheduled_at > NOW),
            },
        )
    ).where(*_OF_USER, sa.or_(_STATUSES.is_(None), Job.status == sa.any_(_STATUSES))),
    DateRow,
)

_IN_ORDER = (JobStep.at, JobStep.id)
_STEPS = (
    sa.select(
        sa.func.array_agg(aggregate_order_by(JobStep.status, *_IN_ORDER)).label("statuses"),
        sa.func.array_agg(aggregate_order_by(JobStep.at, *_IN_ORDER)).label("times"),
    )
    .where(*_STEPS_OF_JOB)
    .lateral("steps")
)
#: The jobs with these ids, in their order, but those that are gone.
APPLICATIONS = Statement(
    sa.select(
        *columns_of(
            Job,
            ApplicationRow,
            {
                "step_statuses": _STEPS.c.statuses,
                "step_times": _STEPS.c.times,
                "last_interview_at": _interview_at(sa.func.max, Interview.scheduled_at <= NOW),
            },
        )
    )
    .select_from(sa.join(Job, _STEPS, sa.true()))
    .where(*_OF_USER, Job.id == sa.any_(IDS))
    .order_by(sa.func.array_position(IDS, Job.id)),
    ApplicationRow,
)
