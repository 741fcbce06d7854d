"""The SQL of the board: jobs as cards."""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import all_, case, func, select

from jobtracker.db.base import NOW, sql_array
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import MAX_LIST, Page
from jobtracker.db.statements import PageStatement, Statement, columns_of
from jobtracker.jobs.models import TERMINAL_STATUSES, Job
from jobtracker.jobs.queries import CARD_TEXTS, OF_USER, SORTS

#: The time without activity after which an open job without a planned action needs a follow-up.
FOLLOW_UP_AFTER = datetime.timedelta(days=5)

_IS_OPEN = Job.status != all_(sql_array(TERMINAL_STATUSES))
#: From when on a job needs a follow-up: the time of its next action; without one, where it is open,
#: after some days without activity; otherwise never, NULL.
FOLLOW_UP_AT = func.coalesce(
    Job.next_action_at, case((_IS_OPEN, Job.last_activity_at + FOLLOW_UP_AFTER))
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
    #: When it will need a follow-up; None if it does, or never will.
    next_follow_up_at: datetime.datetime | None


CARD_COLUMNS = columns_of(
    Job,
    CardRow,
    {
        "needs_follow_up": func.coalesce(FOLLOW_UP_AT <= NOW, False),
        "next_follow_up_at": case((FOLLOW_UP_AT > NOW, FOLLOW_UP_AT)),
    },
)


_COUNT_BY_STATUS = Statement(
    select(Job.status, func.count()).where(*OF_USER).group_by(Job.status), tuple
)


_PAGE = PageStatement(
    select(*CARD_COLUMNS).where(*OF_USER),
    CardRow,
    SORTS["status"],
    texts=CARD_TEXTS,
    of_owner=OF_USER,
)


def page(
    connection: SupportsExecute,
    user_id: int,
    limit: int | None,
    after: Sequence[Any] | None,
    job_count: int | None = None,
) -> Page[CardRow]:
    """A page of the user's jobs, in the order of their statuses, then latest activity first."""
    return _PAGE.page(connection, limit or MAX_LIST, after, number=job_count, user_id=user_id)


def count_by_status(connection: SupportsExecute, user_id: int) -> dict[str, int]:
    return dict(_COUNT_BY_STATUS.all(connection, user_id=user_id))
