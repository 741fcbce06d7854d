"""The SQL of steps."""

import datetime
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import DateTime, bindparam, column, func, insert, select, table

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import Sort, SortKey
from jobtracker.db.statements import Repository, Statement, columns_of, new_parameters, new_values
from jobtracker.history.models import JobStep


class StepRow(NamedTuple):
    user_id: int
    id: int
    application_id: int
    status: str
    at: datetime.datetime
    created_at: datetime.datetime


ORDER = Sort(SortKey(JobStep.at), SortKey(JobStep.id))
STEPS = Repository(JobStep, StepRow, owner_columns=JobStep.OWNER_COLUMNS, order=ORDER)

_NEW = new_values(JobStep, ["user_id", "application_id", "status"])
_AT = func.greatest(NOW, bindparam("after", type_=DateTime(timezone=True)))
_INSERT_NOW = Statement(
    insert(JobStep.__table__).values(**_NEW, at=_AT).returning(*columns_of(JobStep, StepRow)),
    StepRow,
)


class LatestStep(NamedTuple):
    id: int
    status: str
    at: datetime.datetime
    #: Of the job's steps, as its summary has it.
    number: int


# The model is that of the statistics, which know the history.
_SUMMARIES = table("job_journeys", *(column(n) for n in ("user_id", "application_id", "steps")))
_NUMBER = select(_SUMMARIES.c.steps).where(
    *(_SUMMARIES.c[name] == bindparam(name) for name in JobStep.OWNER_COLUMNS)
)
_LATEST = Statement(
    select(JobStep.id, JobStep.status, JobStep.at, _NUMBER.scalar_subquery())
    .where(*(JobStep.__table__.c[name] == bindparam(name) for name in JobStep.OWNER_COLUMNS))
    .order_by(JobStep.at.desc(), JobStep.id.desc())
    .limit(2),
    LatestStep,
)


def latest_two(connection: SupportsExecute, owner: Mapping[str, int]) -> list[LatestStep]:
    return _LATEST.all(connection, **owner)


def insert_now(
    connection: SupportsExecute, owner: Mapping[str, int], status: str, after: datetime.datetime
) -> StepRow:
    """Insert a step of now, but not before the job's latest step."""
    new = new_parameters({**owner, "status": status})
    return _INSERT_NOW.first_or_not_found(connection, **new, after=after)
