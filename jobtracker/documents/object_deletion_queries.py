"""The SQL of the deletions of objects in S3."""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from jobtracker.db.base import LIMIT, NOW
from jobtracker.db.connections import SupportsExecute, try_lock
from jobtracker.db.statements import (
    Command,
    Statement,
    count_up_to_limit,
    new_parameters,
    new_values,
)
from jobtracker.documents.models import UPLOAD_GRACE, ObjectDeletion
from jobtracker.documents.queries import DocumentRow

# After which the sweeper repeats a deletion.
PAUSE = datetime.timedelta(minutes=10)
# The sweeper locks no rows: Citus locks none of several shards. The number of the advisory lock in
# their place is arbitrary.
LOCK = 0x10B7DE1


class DeletionRow(NamedTuple):
    user_id: int
    object_key: str
    is_last: bool  # whether the object cannot appear again


_OF_USER = ObjectDeletion.user_id == sa.bindparam("user_id")
_OF_KEYS = (
    _OF_USER,
    ObjectDeletion.object_key == sa.any_(sa.bindparam("keys", type_=ARRAY(sa.Text))),
)
_KEY = sa.tuple_(ObjectDeletion.user_id, ObjectDeletion.object_key)
_IS_NEW = ObjectDeletion.attempted_at.is_(None)
_IS_LAST = ObjectDeletion.repeat_until <= NOW
_DELETIONS = sa.select(*_KEY.clauses, _IS_LAST).limit(LIMIT)
_ENQUEUE = Command(
    insert(ObjectDeletion.__table__)
    .values(new_values(ObjectDeletion, ["user_id", "object_key", "repeat_until"]))
    .on_conflict_do_nothing()
)
_NEW = Statement(
    _DELETIONS.where(_OF_USER, _IS_NEW)
    .order_by(ObjectDeletion.created_at)
    .with_for_update(skip_locked=True),
    DeletionRow,
)
_LAST = sa.tuple_(
    sa.bindparam("last_user_id", type_=sa.BigInteger), sa.bindparam("last_key", type_=sa.Text)
)
_NEXT_DUE = Statement(
    _DELETIONS.where(
        _LAST < _KEY, sa.or_(_IS_NEW, _IS_LAST, ObjectDeletion.attempted_at <= NOW - PAUSE)
    ).order_by(*_KEY.clauses),
    DeletionRow,
)
_SET_ATTEMPTED = Command(
    sa.update(ObjectDeletion.__table__).where(*_OF_KEYS).values(attempted_at=NOW)
)
_DELETE = Command(sa.delete(ObjectDeletion.__table__).where(*_OF_KEYS))
_COUNT = count_up_to_limit(ObjectDeletion, sa.true())


def enqueue_upload_deletion(connection: SupportsExecute, document: DocumentRow) -> None:
    """Enqueue the deletion of the upload key's object, repeated until its upload URL expired."""
    repeat_until = document.upload_expires_at + UPLOAD_GRACE
    key = {"user_id": document.user_id, "object_key": document.upload_key}
    _ENQUEUE.execute(connection, **new_parameters({**key, "repeat_until": repeat_until}))


def find_new(connection: SupportsExecute, user_id: int, limit: int) -> list[DeletionRow]:
    """The deletions of a user that were not attempted yet; this locks the rows."""
    return _NEW.all(connection, user_id=user_id, limit=limit)


def next_due(connection: SupportsExecute, last: tuple[int, str], limit: int) -> list[DeletionRow]:
    """The deletions of all users that are due and follow the last user and key; none while another
    transaction has called this."""
    if not try_lock(connection, LOCK):
        return []
    return _NEXT_DUE.all(connection, last_user_id=last[0], last_key=last[1], limit=limit)


def record(connection: SupportsExecute, user_id: int, attempted: Sequence[DeletionRow]) -> None:
    """Remove those of a user's attempted deletions that need no repetition, and set attempted_at
    of the others."""
    for statement, is_last in ((_DELETE, True), (_SET_ATTEMPTED, False)):
        keys = [row.object_key for row in attempted if row.is_last is is_last]
        if keys:
            statement.execute(connection, user_id=user_id, keys=keys)


def count(connection: SupportsExecute, max_rows: int) -> int:
    return _COUNT.first_or_not_found(connection, max_rows=max_rows)
