"""The SQL of workers: which tasks are due, and the lease of one."""

import secrets
from collections.abc import Collection
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, ScalarStatement, Statement, columns_of
from jobtracker.tasks.models import Task, TaskState
from jobtracker.tasks.queries import IS_DUE, IS_UNFINISHED, after_seconds, notify


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


_C = Task.__table__.c
_BY_KEY = sa.and_(
    _C.user_id == sa.bindparam("user_id", type_=sa.BigInteger),
    _C.id == sa.bindparam("task_id", type_=sa.BigInteger),
)
_IS_OF_KINDS = _C.kind == sa.any_(sa.bindparam("kinds", type_=ARRAY(sa.Text)))
_FIND_DUE = Statement(
    sa.select(_C.user_id, _C.id)
    .where(IS_DUE, _IS_OF_KINDS)
    .order_by(_C.run_after)
    .limit(sa.bindparam("max_rows", type_=sa.BigInteger)),
    TaskKey,
)
_NEXT_DUE = ScalarStatement[float](
    sa.select(sa.extract("epoch", sa.func.min(_C.run_after) - NOW).cast(sa.Double)).where(
        IS_UNFINISHED, _IS_OF_KINDS
    )
)

# A running one whose lease has ended is due, unless a batch of it goes on, which locks the row.
_LOCK_DUE = ScalarStatement[str](
    sa.select(_C.state).where(_BY_KEY, IS_DUE).with_for_update(skip_locked=True)
)
_FAILED = sa.bindparam("failed", type_=sa.BigInteger)
_LEASE_NONCE = sa.bindparam("lease_nonce", type_=sa.BigInteger)
_TAKE = Statement(
    sa.update(Task.__table__)
    .where(_BY_KEY)
    .values(
        state=TaskState.RUNNING,
        run_after=after_seconds("lease"),
        attempts=_C.attempts + 1,
        lease_nonce=_LEASE_NONCE,
        failures=_C.failures + _FAILED,
        run_again=sa.false(),
    )
    .returning(*columns_of(Task, Lease)),
    Lease,
)

# Otherwise another worker has taken it.
_IS_LEASED = sa.and_(_BY_KEY, _C.state == TaskState.RUNNING, _C.lease_nonce == _LEASE_NONCE)
# FOR KEY SHARE, so that a request that enqueues an equal one does not wait for the batch.
_LOCK_LEASED = ScalarStatement[str](
    sa.select(_C.state).where(_IS_LEASED).with_for_update(read=True, key_share=True)
)
_RUNNING = sa.update(Task.__table__).where(_IS_LEASED)
_RENEW = Command(
    _RUNNING.values(
        run_after=after_seconds("lease"),
        done=sa.bindparam("done", type_=sa.BigInteger),
        total=sa.bindparam("total", type_=sa.BigInteger),
        failures=sa.bindparam("failures", type_=sa.BigInteger),
    )
)
_ERROR = sa.bindparam("error", type_=sa.Text)
_QUEUE_AGAIN = Command(
    _RUNNING.values(
        state=TaskState.QUEUED,
        run_after=after_seconds("delay"),
        failures=_C.failures + _FAILED,
        error=_ERROR,
    )
)
_FINISH = Command(
    _RUNNING.where(sa.not_(_C.run_again)).values(
        state=sa.bindparam("state", type_=sa.Text),
        finished_at=NOW,
        result=sa.bindparam("result", type_=JSONB),
        error=_ERROR,
    )
)


def find_due(connection: SupportsExecute, kinds: Collection[str], max_rows: int) -> list[TaskKey]:
    """Tasks of some kinds that are due, those first that have been for longest."""
    return _FIND_DUE.all(connection, kinds=[*kinds], max_rows=max_rows)


def seconds_until_due(connection: SupportsExecute, kinds: Collection[str]) -> float | None:
    """The time until the next task of some kinds is due; None where there is none."""
    return _NEXT_DUE.first(connection, kinds=[*kinds])


def take(connection: SupportsExecute, task: TaskKey, lease: float) -> Lease | None:
    """Take a task that is due, unless another worker does; count an attempt whose lease has ended
    as failed.

    :param lease: in seconds
    """
    key = {"user_id": task.user_id, "task_id": task.id}
    state = _LOCK_DUE.first(connection, **key)
    if state is None:
        return None
    failed = int(state == TaskState.RUNNING)
    new = {"lease": lease, "lease_nonce": secrets.randbits(63), "failed": failed}
    return _TAKE.first(connection, **key, **new)


def lock(connection: SupportsExecute, task: Lease) -> bool:
    """Keep other workers from taking a task until the end of the transaction; return whether it
    still is this worker's."""
    return _LOCK_LEASED.first(connection, **task.key) is not None


def renew(connection: SupportsExecute, task: Lease, lease: float) -> bool:
    """Renew a lease, with the progress; return whether it still is this worker's.

    Deferred triggers run first: they lock the user's row, which requests that enqueue tasks have
    locked before the task's. In the other order the two would be a deadlock.
    """
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    progress = {"done": task.done, "total": task.total, "failures": task.failures}
    return _RENEW.execute(connection, **task.key, **progress, lease=lease) > 0


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
