"""The SQL of the board: jobs as cards."""

import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, all_, and_, bindparam, or_, select

from jobtracker.db.base import NOW, sql_array
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement
from jobtracker.jobs.models import TERMINAL_STATUSES, Job
from jobtracker.jobs.queries import status_rank

#: The time without activity after which an open job needs a follow-up.
FOLLOW_UP_AFTER = datetime.timedelta(days=5)

#: The next action is due, or the job is open and without recent activity.
NEEDS_FOLLOW_UP = or_(
    and_(Job.next_action_at.is_not(None), Job.next_action_at <= NOW),
    and_(
        Job.status != all_(sql_array(TERMINAL_STATUSES)),
        Job.last_activity_at <= NOW - FOLLOW_UP_AFTER,
    ),
)


class CardRow(NamedTuple):
    """What a list of many jobs shows of one."""

    id: int
    status: str
    company_name: str
    job_title: str
    location: str | None
    updated_at: datetime.datetime
    last_activity_at: datetime.datetime
    last_action_at: datetime.datetime | None
    next_action_at: datetime.datetime | None
    next_action_title: str | None
    priority: str
    tags: list[str]
    needs_follow_up: bool


CARD_COLUMNS: list[ColumnElement[Any]] = [
    NEEDS_FOLLOW_UP if name == "needs_follow_up" else Job.__table__.c[name]
    for name in CardRow._fields
]

_CARDS = Statement(
    select(*CARD_COLUMNS)
    .where(Job.user_id == bindparam("user_id"))
    .order_by(status_rank(Job.status), Job.last_activity_at.desc(), Job.id.desc()),
    CardRow,
)


def cards(connection: SupportsExecute, user_id: int) -> list[CardRow]:
    """All jobs of the user, in the order of their statuses, then latest activity first."""
    return _CARDS.all(connection, user_id=user_id)
