"""The SQL of tasks."""

import datetime
import secrets
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Double,
    Text,
    and_,
    any_,
    bindparam,
    case,
    delete,
    extract,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import Command, Repository, Statement, columns_of, count_up_to_limit
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


class TaskKey(NamedTuple):
    user_id: int
    id: int


class Lease(NamedTuple):
    """A task that a worker has taken."""

    user_id: int
    id: int
    kind: str
    args: dict[str, Any]
    lease_nonce: int
    failures: int
    done: int
    total: int | None

    @property
    def key(self) -> dict[str, int]:
        """The parameters of the statements of a running task."""
        return {"user_id": self.user_id, "task_id": self.id, "lease_nonce": self.lease_nonce}


class _Id(NamedTuple):
    id: int


class _Seconds(NamedTuple):
    seconds: float | None


class _State(NamedTuple):
    state: str


TASKS = Repository(
    Task, TaskRow, owner_columns=("user_id",), order=newest_first(Task, "created_at")
)
EXPIRED = ExpiredRows(Task, Task.finished_at <= NOW - KEPT)

_C = Task.__table__.c
_USER_ID = bindparam("user_id", type_=BigInteger)
_KIND, _ARGS = bindparam("kind", type_=Text), bindparam("args", type_=JSONB)
_IS_UNFINISHED = _C.finished_at.is_(None)
_IS_DUE = and_(_IS_UNFINISHED, _C.run_after <= NOW)
_IS_OF_KINDS = _C.kind == any_(bindparam("kinds", type_=ARRAY(Text)))
_LEASE_NONCE = bindparam("lease_nonce", type_=BigInteger)
_BY_KEY = and_(_C.user_id == _USER_ID, _C.id == bindparam("task_id", type_=BigInteger))


def _after(seconds: str) -> Any:
    """The time after as many seconds as a parameter says."""
    parameter = bindparam(seconds, type_=Double)
    return NOW + func.make_interval(0, 0, 0, 0, 0, 0, parameter)


# An equal one that is unfinished is locked: no worker takes it until the transaction has ended.
_OTHERS = (
    select(literal(1))
    .where(_C.user_id == _USER_ID, _IS_UNFINISHED, or_(_C.kind != _KIND, _C.args != _ARGS))
    .limit(MAX_UNFINISHED)
    .subquery()
)
_MAX_OTHERS = bindparam("max_others", type_=BigInteger)
_HAS_ROOM = select(func.count()).select_from(_OTHERS).scalar_subquery() < _MAX_OTHERS
_ENQUEUE = Statement(
    insert(Task.__table__)
    .from_select(
        ["user_id", "kind", "args", "run_after"],
        select(_USER_ID, _KIND, _ARGS, _after("delay")).where(_HAS_ROOM),
        include_defaults=False,
    )
    .on_conflict_do_update(
        index_elements=["user_id", "kind", "args"],
        index_where=_IS_UNFINISHED,
        set_={"run_again": true()},
    )
    .returning(_C.id),
    _Id,
)
_CANCEL = Command(
    delete(Task.__table__).where(
        _C.user_id == _USER_ID, _C.kind == _KIND, _C.state == TaskState.QUEUED, _C.attempts == 0
    )
)
_NOTIFY = "SELECT pg_notify(%(channel)s, '')"

_FIND_DUE = Statement(
    select(_C.user_id, _C.id)
    .where(_IS_DUE, _IS_OF_KINDS)
    .order_by(_C.run_after)
    .limit(bindparam("max_rows", type_=BigInteger)),
    TaskKey,
)
_NEXT_DUE = Statement(
    select(extract("epoch", func.min(_C.run_after) - NOW).cast(Double)).where(
        _IS_UNFINISHED, _IS_OF_KINDS
    ),
    _Seconds,
)
_COUNT_DUE = count_up_to_limit(Task, _IS_DUE)

# A running one whose lease has ended is due, unless a batch of it goes on, which locks the row.
_LOCK_DUE = Statement(
    select(_C.state).where(_BY_KEY, _IS_DUE).with_for_update(skip_locked=True), _State
)


_TAKE = Statement(
    update(Task.__table__)
    .where(_BY_KEY)
    .values(
        state=TaskState.RUNNING,
        run_after=_after("lease"),
        attempts=_C.attempts + 1,
        lease_nonce=_LEASE_NONCE,
        failures=_C.failures + bindparam("failed", type_=BigInteger),
        run_again=false(),
    )
    .returning(*columns_of(Task, Lease)),
    Lease,
)

# Otherwise another worker has taken it.
_IS_LEASED = and_(_BY_KEY, _C.state == TaskState.RUNNING, _C.lease_nonce == _LEASE_NONCE)
# FOR KEY SHARE, so that a request that enqueues an equal one does not wait for the batch.
_LOCK_LEASED = Statement(
    select(_C.state).where(_IS_LEASED).with_for_update(read=True, key_share=True), _State
)
_RUNNING = update(Task.__table__).where(_IS_LEASED)
_DONE, _TOTAL = bindparam("done", type_=BigInteger), bindparam("total", type_=BigInteger)
_RENEW = Command(
    _RUNNING.values(
        run_after=_after("lease"),
        done=_DONE,
        total=_TOTAL,
        failures=case((_C.done < _DONE, 0), else_=_C.failures),
    )
)
_QUEUE_AGAIN = Command(
    _RUNNING.values(
        state=TaskState.QUEUED,
        run_after=_after("delay"),
        failures=_C.failures + bindparam("failed", type_=BigInteger),
        error=bindparam("error", type_=Text),
    )
)
_FINISH = Command(
    _RUNNING.where(not_(_C.run_again)).values(
        state=bindparam("state", type_=Text),
        finished_at=NOW,
        result=bindparam("result", type_=JSONB),
        error=bindparam("error", type_=Text),
    )
)


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
    row = _ENQUEUE.first(connection, user_id=user_id, kind=kind, **parameters)
    if row is None:
        message = "Too much is under way already. Please wait a minute."
        raise RateLimited(message, limit="tasks", retry_after=60)
    notify(connection)
    return row.id


def cancel(connection: SupportsExecute, user_id: int, kind: str) -> bool:
    """Delete the tasks of a kind that no worker has taken yet; return whether there was one."""
    return _CANCEL.execute(connection, user_id=user_id, kind=kind) > 0


def notify(connection: SupportsExecute) -> None:
    """Wake the workers, at the commit of the transaction."""
    connection.execute(_NOTIFY, {"channel": CHANNEL})


def find_due(connection: SupportsExecute, kinds: Collection[str], max_rows: int) -> list[TaskKey]:
    """Tasks of some kinds that are due, those first that have been for longest."""
    return _FIND_DUE.all(connection, kinds=[*kinds], max_rows=max_rows)


def seconds_until_due(connection: SupportsExecute, kinds: Collection[str]) -> float | None:
    """The time until the next task of some kinds is due; None where there is none."""
    return _NEXT_DUE.first_or_not_found(connection, kinds=[*kinds]).seconds


def count_due(connection: SupportsExecute, max_rows: int) -> int:
    """The number of tasks that are due, of whichever kind, ``max_rows`` at most."""
    return _COUNT_DUE.first_or_not_found(connection, max_rows=max_rows).number


def take(connection: SupportsExecute, task: TaskKey, lease: float) -> Lease | None:
    """Take a task that is due, unless another worker does; count an attempt whose lease has ended
    as failed.

    :param lease: in seconds
    """
    key = {"user_id": task.user_id, "task_id": task.id}
    locked = _LOCK_DUE.first(connection, **key)
    if locked is None:
        return None
    failed = int(locked.state == TaskState.RUNNING)
    new = {"lease": lease, "lease_nonce": secrets.randbits(63), "failed": failed}
    return _TAKE.first(connection, **key, **new)


def lock(connection: SupportsExecute, task: Lease) -> bool:
    """Keep other workers from taking a task until the end of the transaction; return whether it
    still is this worker's."""
    return _LOCK_LEASED.first(connection, **task.key) is not None


def renew(connection: SupportsExecute, task: Lease, lease: float) -> bool:
    """Renew a lease, with the progress; return whether it still is this worker's."""
    parameters = {"done": task.done, "total": task.total, "lease": lease}
    return _RENEW.execute(connection, **task.key, **parameters) > 0


def queue_again(
    connection: SupportsExecute, task: Lease, delay: float = 0, error: str | None = None
) -> bool:
    """Give a task back, to be due after a delay in seconds; return whether it was this worker's.

    :param error: of an attempt that failed
    """
    failed = int(error is not None)
    given = _QUEUE_AGAIN.execute(connection, **task.key, delay=delay, failed=failed, error=error)
    notify(connection)
    return given > 0


def finish(
    connection: SupportsExecute,
    task: Lease,
    state: TaskState,
    *,
    result: dict[str, Any] | None = None,
    error: str | None = None,
) -> bool:
    """End a task, or queue it if it was enqueued again; return whether it was this worker's."""
    parameters = {"state": state, "result": result, "error": error}
    if _FINISH.execute(connection, **task.key, **parameters):
        return True
    return queue_again(connection, task)
