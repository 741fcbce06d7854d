"""The SQL that deletes what is in the trash for good, some rows of a user in each transaction.

A job is marked first: from then on it is not in the trash, and cannot be restored.
"""

import datetime
import functools
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from jobtracker.db.base import LIMIT, NOW, USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, ScalarStatement, count_up_to_limit
from jobtracker.db.trash import Trashable, TrashReason
from jobtracker.jobs.models import Job, JobChild

# Rows of one transaction, and jobs. With a job its activity and history are deleted, which quotas
# bound.
BATCH = 500
JOBS = 20


_BEFORE = sa.bindparam("before", type_=sa.DateTime(timezone=True))
_LAST = sa.bindparam("last_user_id", type_=sa.BigInteger)
_JOB_IDS = sa.bindparam("job_ids", type_=ARRAY(sa.BigInteger))
_IS_MARKED = sa.and_(
    Job.user_id == USER_ID, Job.trashed_at.is_not(None), Job.trash_reason == TrashReason.PURGE
)
_JOBS_TO_PURGE = sa.select(Job.id).where(_IS_MARKED).order_by(Job.id).limit(LIMIT)
_LOCK_JOBS = ScalarStatement[int](_JOBS_TO_PURGE.with_for_update())
_COUNT_JOBS = ScalarStatement[int](sa.select(sa.func.count()).where(_IS_MARKED))
_DELETE_JOBS = Command(
    sa.delete(Job.__table__).where(Job.user_id == USER_ID, Job.id == sa.any_(_JOB_IDS))
)


def _is_trash(model: Any) -> list[Any]:
    """The conditions of rows that are in the trash of a user since a time or longer."""
    conditions = [model.user_id == USER_ID, model.trashed_at <= _BEFORE]
    if model is Job:
        conditions.append(model.trash_reason != TrashReason.PURGE)
    return conditions


def _is_first(model: Any, conditions: Iterable[Any]) -> list[Any]:
    """The conditions of the first rows, which are locked, all by one order: two transactions that
    delete the same ones cannot deadlock."""
    found = sa.select(model.id).where(*conditions).order_by(model.trashed_at, model.id)
    # A CTE is evaluated once.
    locked = found.limit(LIMIT).with_for_update().cte("locked")
    return [model.user_id == USER_ID, model.id.in_(sa.select(locked.c.id))]


@functools.cache
def _delete(kind: str) -> Command:
    """Delete some rows of the trash, those first that are in it for longest; mark jobs."""
    model = Trashable.by_kind[kind]
    table, is_first = model.__table__, _is_first(model, _is_trash(model))
    if model is Job:
        return Command(sa.update(table).where(*is_first).values(trash_reason=TrashReason.PURGE))
    return Command(sa.delete(table).where(*is_first))


@functools.cache
def _delete_of_jobs(kind: str) -> Command:
    """Delete some rows below jobs."""
    model = Trashable.by_kind[kind]
    of_jobs = (model.user_id == USER_ID, model.application_id == sa.any_(_JOB_IDS))
    return Command(sa.delete(model.__table__).where(*_is_first(model, of_jobs)))


@functools.cache
def _count(kind: str) -> ScalarStatement[int]:
    model = Trashable.by_kind[kind]
    return ScalarStatement(sa.select(sa.func.count()).where(*_is_trash(model)))


@functools.cache
def _users(kind: str) -> ScalarStatement[int]:
    model = Trashable.by_kind[kind]
    found = sa.select(model.user_id).where(model.trashed_at <= _BEFORE, model.user_id > _LAST)
    return ScalarStatement(found.distinct().order_by(model.user_id).limit(LIMIT))


@functools.cache
def _backlog(kind: str) -> ScalarStatement[int]:
    model = Trashable.by_kind[kind]
    period = sa.bindparam("period", type_=sa.Interval)
    return count_up_to_limit(model, model.trashed_at <= NOW - period)


def users_of_trash(
    connection: SupportsExecute, kind: str, before: datetime.datetime, last_user_id: int, limit: int
) -> list[int]:
    """The users that follow the last one and have a row in the trash since a time or longer."""
    parameters = {"before": before, "last_user_id": last_user_id, "limit": limit}
    return _users(kind).all(connection, **parameters)


def count(connection: SupportsExecute, user_id: int, kind: str, before: datetime.datetime) -> int:
    """The number of a user's rows of a kind in the trash since a time or longer."""
    return _count(kind).first_or_not_found(connection, user_id=user_id, before=before)


def count_jobs(connection: SupportsExecute, user_id: int) -> int:
    return _COUNT_JOBS.first_or_not_found(connection, user_id=user_id)


def delete_batch(
    connection: SupportsExecute, user_id: int, kind: str, before: datetime.datetime
) -> int:
    """Delete rows of a kind from the trash, or mark them, if they are jobs; return their number, 0
    when none is left."""
    parameters = {"user_id": user_id, "before": before, "limit": BATCH}
    return _delete(kind).execute(connection, **parameters)


def delete_jobs_batch(connection: SupportsExecute, user_id: int) -> int | None:
    """Delete marked jobs, what is below them first; return the number of jobs, which is 0 where
    more is below them than a batch has, and None when no job is left."""
    # Locked, so that no concurrent call deletes the same rows.
    jobs = _LOCK_JOBS.all(connection, user_id=user_id, limit=JOBS)
    if not jobs:
        return None
    room = BATCH
    for kind, model in Trashable.by_kind.items():
        if issubclass(model, JobChild):
            parameters = {"user_id": user_id, "job_ids": jobs, "limit": room}
            room -= _delete_of_jobs(kind).execute(connection, **parameters)
            if room == 0:
                return 0
    return _DELETE_JOBS.execute(connection, user_id=user_id, job_ids=jobs)


def count_backlog(connection: SupportsExecute, period: datetime.timedelta, max_rows: int) -> int:
    """The number of rows that have been in the trash for a period or longer, max_rows at most."""
    counts = (
        _backlog(kind).first_or_not_found(connection, period=period, max_rows=max_rows)
        for kind in Trashable.by_kind
    )
    return min(sum(counts), max_rows)
