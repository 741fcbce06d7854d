"""The SQL of tasks, but for that of the workers that run them."""

import datetime
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from jobtracker.db.base import NOW, USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import Command, Repository, ScalarStatement, count_up_to_limit
from jobtracker.errors import RateLimited
from jobtracker.tasks.models import Task, TaskState

#: The channel of NOTIFY that wakes workers.
CHANNEL = "jobtracker_tasks"
#: Unfinished tasks of a user.
MAX_UNFINISHED = 100
#: How long finished tasks are kept.
KEPT = datetime.timedelta(days=30)


class Progress(NamedTuple):
    """``total`` is None while it is not known."""

    done: int
    total: int | None


class TaskRow(NamedTuple):
    user_id: int
    id: int
    kind: str
    state: str
    done: int
    total: int | None
    result: dict[str, Any] | None
    created_at: datetime.datetime
    finished_at: datetime.datetime | None

    @property
    def progress(self) -> Progress:
        return Progress(self.done, self.total)


TASKS = Repository(
    Task, TaskRow, owner_columns=("user_id",), order=newest_first(Task, "created_at")
)
EXPIRED = ExpiredRows(Task, Task.finished_at <= NOW - KEPT)

_C = Task.__table__.c
_KIND, _ARGS = sa.bindparam("kind", type_=sa.Text), sa.bindparam("args", type_=JSONB)
IS_UNFINISHED = _C.finished_at.is_(None)
IS_DUE = sa.and_(IS_UNFINISHED, _C.run_after <= NOW)


def after_seconds(seconds: str) -> Any:
    """The time after as many seconds as a parameter says."""
    parameter = sa.bindparam(seconds, type_=sa.Double)
    return NOW + sa.func.make_interval(0, 0, 0, 0, 0, 0, parameter)


# An equal one that is unfinished is locked: no worker takes it until the transaction has ended.
_OTHERS = (
    sa.select(sa.literal(1))
    .where(_C.user_id == USER_ID, IS_UNFINISHED, sa.or_(_C.kind != _KIND, _C.args != _ARGS))
    .limit(MAX_UNFINISHED)
    .subquery()
)
_MAX_OTHERS = sa.bindparam("max_others", type_=sa.BigInteger)
_HAS_ROOM = sa.select(sa.func.count()).select_from(_OTHERS).scalar_subquery() < _MAX_OTHERS
_ENQUEUE = ScalarStatement[int](
    insert(Task.__table__)
    .from_select(
        ["user_id", "kind", "args", "run_after"],
        sa.select(USER_ID, _KIND, _ARGS, after_seconds("delay")).where(_HAS_ROOM),
        include_defaults=False,
    )
    .on_conflict_do_update(
        index_elements=["user_id", "kind", "args"],
        index_where=IS_UNFINISHED,
        set_={"run_again": sa.true()},
    )
    .returning(_C.id)
)
_CANCEL = Command(
    sa.delete(Task.__table__).where(
        _C.user_id == USER_ID, _C.kind == _KIND, _C.state == TaskState.QUEUED, _C.attempts == 0
    )
)
_NOTIFY = "SELECT pg_notify(%(channel)s, '')"

_COUNT_DUE = count_up_to_limit(Task, IS_DUE)


def enqueue(
    connection: SupportsExecute,
    user_id: int,
    kind: str,
    args: Mapping[str, Any] = MappingProxyType({}),
    *,
    delay: float = 0,
    is_limited: bool = True,
) -> int:
    """Queue a task of a kind, in a transaction whose commit wakes a worker, and return its id.

    That of an equal one, of the same kind and args, if that is unfinished: it runs once more then,
    after this transaction, if it is running already.

    :param args: small ones, as JSON
    :param delay: seconds until it is due
    :raises RateLimited: if it ``is_limited`` and the user has MAX_UNFINISHED others
    """
    max_others = MAX_UNFINISHED if is_limited else MAX_UNFINISHED + 1
    parameters = {"args": {**args}, "delay": delay, "max_others": max_others}
    task_id = _ENQUEUE.first(connection, user_id=user_id, kind=kind, **parameters)
    if task_id is None:
        message = "Too much is under way already. Please wait a minute."
        raise RateLimited(message, limit="tasks", retry_after=60)
    notify(connection)
    return task_id


def cancel(connection: SupportsExecute, user_id: int, kind: str) -> bool:
    """Delete the tasks of a kind that no worker has taken yet; return whether there was one."""
    return _CANCEL.execute(connection, user_id=user_id, kind=kind) > 0


def notify(connection: SupportsExecute) -> None:
    """Wake the workers, at the commit of the transaction."""
    connection.execute(_NOTIFY, {"channel": CHANNEL})


def count_due(connection: SupportsExecute, max_rows: int) -> int:
    """The number of tasks that are due, of whichever kind, ``max_rows`` at most."""
    return _COUNT_DUE.first_or_not_found(connection, max_rows=max_rows)
