"""The SQL of activity."""

import datetime
from typing import Any, NamedTuple

from sqlalchemy import Interval, bindparam, func, select

from jobtracker.activity.models import Activity
from jobtracker.db.base import NOW
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import Repository, Statement


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

#: The number of events of each type in the last ``period``.
COUNT_BY_TYPE = Statement(
    select(Activity.type, func.count())
    .where(
        Activity.user_id == bindparam("user_id"),
        Activity.created_at > NOW - bindparam("period", type_=Interval),
    )
    .group_by(Activity.type)
    .order_by(Activity.type),
    tuple,
)
