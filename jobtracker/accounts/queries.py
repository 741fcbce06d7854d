"""The SQL of all rows of a user, in whatever table.

The tables are those of the metadata, so that one that is added is not forgotten.
"""

import functools
import operator
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Table, bindparam, cast, delete, func, select, tuple_

from jobtracker.activity.models import Activity
from jobtracker.audit import queries as audit
from jobtracker.audit.models import AuditKind
from jobtracker.db.base import USER_ID, Base
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.recording import recording_disabled
from jobtracker.db.statements import Command, ScalarStatement, Statement
from jobtracker.documents.models import Document, DocumentStatus
from jobtracker.history.models import JobStep
from jobtracker.interviews.models import Interview
from jobtracker.jobs.models import Job
from jobtracker.notes.models import Note
from jobtracker.saved_views.models import SavedView
from jobtracker.tasks.models import Task

#: Tables with a user whose rows are not deleted in batches, each with the reason.
EXCEPT = {
    "audit": "entries survive the user until they expire",
    "identities": "it is deleted together with the user",
    "object_deletions": "they are needed until the objects are deleted",
    "tasks": "the deletion is one of them",
}

#: Rows of one transaction.
BATCH = 500


class ContentRow(NamedTuple):
    """The numbers of what a user has, the trash included."""

    jobs: int
    notes: int
    interviews: int
    documents: int
    document_bytes: int
    #: Files in S3.
    objects: int
    saved_views: int
    activity: int
    history: int


def _of_user(model: Any, expression: Any = None) -> Any:
    query = select(func.count() if expression is None else expression).select_from(model)
    return query.where(model.user_id == USER_ID).scalar_subquery()


_CONTENT = Statement(
    select(
        _of_user(Job),
        _of_user(Note),
        _of_user(Interview),
        _of_user(Document),
        _of_user(Document, func.coalesce(cast(func.sum(Document.size_bytes), BigInteger), 0)),
        _of_user(Document, func.count().filter(Document.status != DocumentStatus.PENDING)),
        _of_user(SavedView),
        _of_user(Activity),
        _of_user(JobStep),
    ),
    ContentRow,
)
_LIMIT = bindparam("max_rows", type_=BigInteger)
_DELETE_TASKS = Command(
    delete(Task.__table__).where(
        Task.user_id == USER_ID, Task.id != bindparam("task_id", type_=BigInteger)
    )
)


def content(connection: SupportsExecute, user_id: int) -> ContentRow:
    return _CONTENT.first_or_not_found(connection, user_id=user_id)


def delete_batch(connection: SupportsExecute, user_id: int, max_rows: int = BATCH) -> int:
    """Delete so many rows of a user, those first that refer to others; return their number.

    What the triggers of a deletion insert, a later call deletes.
    """
    deleted = 0
    with recording_disabled(connection):
        for statement in _deletions():
            deleted += statement.execute(connection, user_id=user_id, max_rows=max_rows - deleted)
            if deleted >= max_rows:
                break
    return deleted


def count(connection: SupportsExecute, user_id: int) -> int:
    """The number of rows that :func:`delete_batch` deletes."""
    return _count().first_or_not_found(connection, user_id=user_id)


def delete_tasks(connection: SupportsExecute, user_id: int, except_id: int) -> None:
    _DELETE_TASKS.execute(connection, user_id=user_id, task_id=except_id)


def record(connection: SupportsExecute, user_id: int, kind: AuditKind) -> None:
    """Record an audit entry of what no client has done."""
    audit.record(connection, user_id, audit.Event(kind, None, b""))


def tables() -> list[Table]:
    """The tables of what belongs to users, those first that refer to others; before all of them
    what triggers derive, so that the deletion of a row derives nothing again."""
    of_users = [
        table
        for table in reversed(Base.metadata.sorted_tables)
        if "user_id" in table.c and table.name not in EXCEPT
    ]
    return sorted(of_users, key=lambda table: "id" in table.c)


@functools.cache
def _deletions() -> list[Command]:
    return [_deletion(table) for table in tables()]


def _deletion(table: Table) -> Command:
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(table.c.user_id == USER_ID).limit(_LIMIT)
    return Command(delete(table).where(table.c.user_id == USER_ID, key.in_(some)))


@functools.cache
def _count() -> ScalarStatement[int]:
    numbers = (
        select(func.count()).select_from(each).where(each.c.user_id == USER_ID).scalar_subquery()
        for each in tables()
    )
    return ScalarStatement(select(functools.reduce(operator.add, numbers)))
