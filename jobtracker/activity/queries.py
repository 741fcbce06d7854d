"""The SQL of activity."""

import datetime
from typing import Any, NamedTuple

from sqlalchemy import Interval, bindparam, func, not_, select, true, union_all

from jobtracker.activity.models import Activity
from jobtracker.db.base import NOW, USER_ID
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import Repository, Statement
from jobtracker.jobs.models import Job
from jobtracker.jobs.queries import IS_MOSTLY_TRASH, OF_USER, TRASHED_IDS


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

_IN_PERIOD = (
    Activity.user_id == USER_ID,
    Activity.created_at > NOW - bindparam("period", type_=Interval),
)
# OFFSET, so that PostgreSQL looks for the events of each job: those of jobs in the trash, which can
# be many, are not read.
_OF_JOB = (
    select(Activity.type).where(*_IN_PERIOD, Activity.application_id == Job.id).offset(0).lateral()
)
_EVENTS = union_all(
    select(Activity.type).where(
        *_IN_PERIOD, Activity.application_id.not_in(TRASHED_IDS), not_(IS_MOSTLY_TRASH)
    ),
    select(_OF_JOB.c.type).join_from(Job, _OF_JOB, true()).where(*OF_USER, IS_MOSTLY_TRASH),
).subquery()
#: The number of events of each type in the last ``period``, without those of jobs in the trash.
COUNT_BY_TYPE = Statement(
    select(_EVENTS.c.type, func.count()).group_by(_EVENTS.c.type).order_by(_EVENTS.c.type), tuple
)
