"""The SQL of exports."""

import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from jobtracker.db.base import NOW, USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import (
    Command,
    Repository,
    ScalarStatement,
    Statement,
    new_parameters,
    new_values,
)
from jobtracker.documents import key_queries
from jobtracker.exports.models import KEPT, Export
from jobtracker.tasks.models import Task, TaskState
from jobtracker.tasks.queries import Progress

#: The kind of the task that writes an export.
EXPORT = "export"
#: The exports that a user can begin in PERIOD.
MAX_EXPORTS, PERIOD = 3, datetime.timedelta(days=1)


class ExportRow(NamedTuple):
    user_id: int
    id: int
    state: str
    done: int
    total: int | None
    object_key: str
    size_bytes: int | None
    sha256: str | None
    revision: int | None
    counts: dict[str, int] | None
    created_at: datetime.datetime
    expires_at: datetime.datetime

    @property
    def progress(self) -> Progress:
        return Progress(self.done, self.total)


class Complete(NamedTuple):
    """What is known of an export when it is written."""

    size_bytes: int
    sha256: str
    revision: int
    counts: dict[str, int]


class _Usage(NamedTuple):
    is_one_unfinished: bool
    begun: int  # within PERIOD
    seconds: float | None  # until the first of these is older


_C, _T = Export.__table__.c, Task.__table__.c
_TASK_ID = sa.bindparam("task_id", type_=sa.BigInteger)


_ITS_TASK = (_T.user_id == USER_ID, _T.id == _C.task_id)


def _from_task(expression: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    return sa.select(expression).where(*_ITS_TASK).correlate(Export.__table__).scalar_subquery()


_IS_COMPLETE = _C.size_bytes.is_not(None)
_IS_UNFINISHED = _T.finished_at.is_(None)
_STATE = sa.case(
    (_IS_COMPLETE, TaskState.DONE.value),
    else_=sa.func.coalesce(
        _from_task(sa.case((_IS_UNFINISHED, _T.state), else_=TaskState.FAILED.value)),
        TaskState.FAILED.value,
    ),
)
_BY_TASK = {
    "state": _STATE,
    "done": sa.func.coalesce(_from_task(_T.done), 0),
    "total": _from_task(_T.total),
}
EXPORTS = Repository(
    Export,
    ExportRow,
    owner_columns=("user_id",),
    order=newest_first(Export),
    expressions=_BY_TASK,
    updated_expressions=dict.fromkeys(_BY_TASK, sa.null()),
)
EXPIRED = ExpiredRows(Export, Export.expires_at <= NOW)

# Deleted ones count as well: their tasks are kept.
_BEGUN = (
    sa.select(sa.func.count().label("number"), sa.func.min(_T.created_at).label("first"))
    .where(
        _T.user_id == USER_ID,
        _T.kind == EXPORT,
        _T.state != TaskState.FAILED,
        _T.created_at > NOW - PERIOD,
    )
    .subquery()
)
_USAGE = Statement(
    sa.select(
        sa.exists()
        .where(_C.user_id == USER_ID, sa.not_(_IS_COMPLETE), *_ITS_TASK, _IS_UNFINISHED)
        .label("is_one_unfinished"),
        _BEGUN.c.number,
        sa.extract("epoch", _BEGUN.c.first + PERIOD - NOW).cast(sa.Double),
    ),
    _Usage,
)
_INSERT = ScalarStatement[int](
    sa.insert(Export.__table__)
    .values(
        **new_values(Export, ["user_id", "task_id", "documents", "object_key"]),
        expires_at=NOW + KEPT,
    )
    .returning(_C.id)
)
_OF_TASK = (_C.user_id == USER_ID, _C.task_id == _TASK_ID)
_FIND_BY_TASK = ScalarStatement[int](sa.select(_C.id).where(*_OF_TASK))
_COMPLETE = Command(
    sa.update(Export.__table__)
    .where(*_OF_TASK)
    .values(**new_values(Export, Complete._fields), expires_at=NOW + KEPT)
)

key_queries.SOURCES.append(
    key_queries.KeySource("export", Export.object_key, Export.user_id, Export.id, _IS_COMPLETE)
)


def usage(connection: SupportsExecute, user_id: int) -> _Usage:
    return _USAGE.first_or_not_found(connection, user_id=user_id)


def insert(
    connection: SupportsExecute, user_id: int, *, task_id: int, documents: bool, object_key: str
) -> int:
    """Insert an export that a task is to write, and return its id."""
    values = {"task_id": task_id, "documents": documents, "object_key": object_key}
    new = new_parameters({"user_id": user_id, **values})
    return _INSERT.first_or_not_found(connection, **new)


def exists(connection: SupportsExecute, user_id: int, task_id: int) -> bool:
    """Whether the export of a task was not deleted."""
    return _FIND_BY_TASK.first(connection, user_id=user_id, task_id=task_id) is not None


def complete(connection: SupportsExecute, user_id: int, task_id: int, values: Complete) -> bool:
    """Set what is known of the export of a task; return whether it was not deleted."""
    new = new_parameters(values._asdict())
    return _COMPLETE.execute(connection, user_id=user_id, task_id=task_id, **new) > 0
