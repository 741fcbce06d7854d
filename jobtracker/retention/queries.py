"""The SQL of the retention: which jobs are due, and their way into the trash.

A closed job is due when nothing has happened to it for the days of the user's setting, MIN_DAYS at
least, and it has not been restored within them. The setting is effective when it has not changed
for EFFECTIVE_AFTER: clients send it while it is typed.
"""

import datetime
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.base import IDS, LIMIT, NOW, USER_ID, sql_array
from jobtracker.db.batches import sum_over
from jobtracker.db.connections import SupportsExecute, transaction
from jobtracker.db.statements import Command, ScalarStatement, Statement, database_time
from jobtracker.db.trash import TrashReason
from jobtracker.jobs.models import CLOSED_STATUSES, Job
from jobtracker.users.models import User

MIN_DAYS = 30
EFFECTIVE_AFTER = datetime.timedelta(days=7)

# Users of one statement, and jobs of one transaction: a job can have a thousand notes, whose words
# a trigger deletes.
USERS, BATCH = 1000, 100


class RetentionRow(NamedTuple):
    """The retention of a user's jobs, as of some time."""

    days: int
    #: None where nothing is ever due.
    effective_from: datetime.datetime | None
    #: The number of jobs that are due, or will be when the setting becomes effective.
    due_jobs: int
    #: When another one becomes due; None if none does.
    next_at: datetime.datetime | None


def _time(name: str) -> Any:
    return sa.bindparam(name, type_=sa.DateTime(timezone=True))


_NOW, _DUE_SINCE = _time("now"), _time("due_since")
_PERIOD = sa.func.greatest(User.data_retention_days, MIN_DAYS) * sa.literal_column(
    "interval '1 day'"
)
_EFFECTIVE_FROM = User.data_retention_changed_at + EFFECTIVE_AFTER
# This and what is closed are the conditions of indexes: constants, not parameters.
_IS_ON = User.data_retention_days > sa.literal_column("0")
_IS_EFFECTIVE = (_IS_ON, User.data_retention_changed_at <= _NOW - EFFECTIVE_AFTER)
_IS_CLOSED = (Job.trashed_at.is_(None), Job.status == sa.any_(sql_array(CLOSED_STATUSES)))


def _is_due(since: Any) -> tuple[Any, ...]:
    """:param since: the latest time of the last activity"""
    is_restored = sa.or_(Job.restored_at.is_(None), Job.restored_at <= since)
    return (*_IS_CLOSED, Job.last_activity_at <= since, is_restored)


_NEXT_USERS = ScalarStatement[int](
    sa.select(User.id)
    .where(User.id > sa.bindparam("after", type_=sa.BigInteger), *_IS_EFFECTIVE)
    .order_by(User.id)
    .limit(LIMIT)
)
_HAVE_DUE_JOBS = ScalarStatement[int](
    sa.select(User.id).where(
        User.id == sa.any_(IDS),
        sa.select(Job.id).where(Job.user_id == User.id, *_is_due(_NOW - _PERIOD)).exists(),
    )
)
# Serializes changes of the setting with the transaction. Rows that are locked are left to the next
# sweep: they are being changed, and a change of a job can wait for the user's row.
_SKIP_LOCKED: Any = {"key_share": True, "skip_locked": True}
_LOCK_USER = ScalarStatement[datetime.datetime](
    sa.select(_NOW - _PERIOD)
    .where(User.id == USER_ID, *_IS_EFFECTIVE)
    .with_for_update(**_SKIP_LOCKED)
)
_LOCK_DUE_JOBS = ScalarStatement[int](
    sa.select(Job.id)
    .where(Job.user_id == USER_ID, *_is_due(_DUE_SINCE))
    .limit(LIMIT)
    .with_for_update(**_SKIP_LOCKED)
)
_TRASH = Command(
    sa.update(Job.__table__)
    .where(Job.user_id == USER_ID, Job.id == sa.any_(IDS))
    .values(trashed_at=NOW, trash_reason=TrashReason.RETENTION)
)

_DUE_AT = sa.func.greatest(Job.last_activity_at, Job.restored_at) + _PERIOD
_NEXT_RUN = sa.func.greatest(_NOW, _EFFECTIVE_FROM)
_READ = Statement(
    sa.select(
        User.data_retention_days,
        sa.case((_IS_ON, _EFFECTIVE_FROM)),
        sa.func.count(Job.id).filter(_DUE_AT <= _NEXT_RUN),
        sa.func.min(_DUE_AT).filter(_DUE_AT > _NEXT_RUN),
    )
    .select_from(User)
    .outerjoin(Job, sa.and_(Job.user_id == USER_ID, _IS_ON, *_IS_CLOSED))
    .where(User.id == USER_ID)
    .group_by(User.id),
    RetentionRow,
)


def read(connection: SupportsExecute, user_id: int, now: datetime.datetime) -> RetentionRow:
    """The retention of a user's jobs; NotFound when the user was deleted concurrently."""
    return _READ.first_or_not_found(connection, user_id=user_id, now=now)


def sweep(sessions: sessionmaker[Session], now: datetime.datetime | None = None) -> int:
    """Put the jobs that are due into the trash, some in each transaction; return their number.

    :param now: the time at which they are due, by default the present one
    """
    with transaction(sessions) as connection:
        time = now or database_time(connection)
    users = _users_with_due_jobs(sessions, time)
    return sum_over(users, lambda user_id: _trash_jobs(sessions, user_id, time))


def _users_with_due_jobs(sessions: sessionmaker[Session], now: datetime.datetime) -> Iterator[int]:
    after, is_last = 0, False
    while not is_last:
        with transaction(sessions) as connection:
            users = _NEXT_USERS.all(connection, after=after, now=now, limit=USERS)
            due = _HAVE_DUE_JOBS.all(connection, ids=users, now=now) if users else ()
        yield from due
        after, is_last = users[-1] if users else 0, len(users) < USERS


def _trash_jobs(sessions: sessionmaker[Session], user_id: int, now: datetime.datetime) -> int:
    number = 0
    while True:
        with transaction(sessions) as connection:
            since = _LOCK_USER.first(connection, user_id=user_id, now=now)
            if since is None:
                return number
            due = {"user_id": user_id, "due_since": since}
            jobs = _LOCK_DUE_JOBS.all(connection, **due, limit=BATCH)
            if jobs:
                number += _TRASH.execute(connection, user_id=user_id, ids=jobs)
        if len(jobs) < BATCH:
            return number
