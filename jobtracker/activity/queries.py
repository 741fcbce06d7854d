"""The SQL of activity."""

import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Interval, bindparam, cast, func, select, true

from jobtracker.activity.models import Activity
from jobtracker.db.base import NOW
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import Repository, Statement
from jobtracker.jobs.models import Job


class ActivityRow(NamedTuple):
    user_id: int
    id: int
    application_id: int
    type: str
    message: str
    data: dict[str, Any]
    created_at: datetime.datetime


ACTIVITY = Repository(
    Activity, ActivityRow, owner_columns=Activity.OWNER_COLUMNS, order=newest_first(Activity)
)

#: Those that are older than ``period``.
EXPIRED = ExpiredRows(Activity, Activity.created_at <= NOW - bindparam("period", type_=Interval))

_USER_ID = bindparam("user_id", type_=BigInteger)
_OF_JOBS = (
    select(Activity.application_id, Activity.type, func.count().label("number"))
    .where(
        Activity.user_id == _USER_ID,
        Activity.created_at > NOW - bindparam("period", type_=Interval),
    )
    .group_by(Activity.application_id, Activity.type)
    .subquery()
)
# LIMIT, so that each job is found by its key, whatever is in the trash.
_LIVE_JOB = (
    select(Job.id)
    .where(Job.user_id == _USER_ID, Job.id == _OF_JOBS.c.application_id, Job.trashed_at.is_(None))
    .limit(1)
    .lateral()
)
#: The number of events of each type in the last ``period``, without those of jobs in the trash.
COUNT_BY_TYPE = Statement(
    select(_OF_JOBS.c.type, cast(func.sum(_OF_JOBS.c.number), BigInteger))
    .select_from(_OF_JOBS.join(_LIVE_JOB, true()))
    .group_by(_OF_JOBS.c.type)
    .order_by(_OF_JOBS.c.type),
    tuple,
)
