"""The SQL of documents and of the deletions of their objects."""

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import (
    Command,
    Count,
    Repository,
    Statement,
    new_parameters,
    new_values,
)
from jobtracker.documents.models import (
    SINGLE_VALUED,
    UPLOAD_GRACE,
    Document,
    DocumentStatus,
    ObjectDeletion,
)


class DocumentRow(NamedTuple):
    user_id: int
    id: int
    application_id: int
    doc_type: str
    original_filename: str
    content_type: str | None
    size_bytes: int
    upload_key: str
    object_key: str
    upload_expires_at: datetime.datetime
    status: str
    scan_status: str
    scan_checked_at: datetime.datetime | None
    scan_message: str | None
    uploaded_at: datetime.datetime | None
    created_at: datetime.datetime

    def __repr__(self) -> str:
        return f"<Document {self.id} {self.doc_type} {self.original_filename!r} {self.status}>"


class ObjectKey(NamedTuple):
    object_key: str


class DueDeletion(NamedTuple):
    user_id: int
    object_key: str
    is_last: bool


DOCUMENTS = Repository(
    Document, DocumentRow, owner=("user_id", "application_id"), order=newest_first(Document)
)

_OF_JOB = (
    Document.user_id == sa.bindparam("user_id"),
    Document.application_id == sa.bindparam("application_id"),
)
_COUNT_PENDING = Statement(
    sa.select(sa.func.count())
    .select_from(Document.__table__)
    .where(*_OF_JOB, Document.status == DocumentStatus.PENDING, Document.upload_expires_at > NOW),
    Count,
)
_DELETE_REPLACED = Command(
    sa.delete(Document.__table__).where(
        *_OF_JOB,
        Document.doc_type == sa.bindparam("doc_type"),
        Document.status == DocumentStatus.UPLOADED,
        Document.id != sa.bindparam("row_id"),
    )
)

_LIMIT = sa.bindparam("limit", type_=sa.BigInteger)
_DOCUMENT_KEY = sa.tuple_(Document.user_id, Document.id)
_DELETE_EXPIRED = Command(
    sa.delete(Document.__table__).where(
        _DOCUMENT_KEY.in_(
            sa.select(Document.user_id, Document.id)
            .where(
                Document.status == DocumentStatus.PENDING,
                Document.upload_expires_at < NOW - UPLOAD_GRACE,
            )
            .limit(_LIMIT)
            # Not those that are being confirmed at this moment.
            .with_for_update(skip_locked=True)
        )
    )
)

_DELETION_KEY = sa.tuple_(ObjectDeletion.user_id, ObjectDeletion.object_key)
_ENQUEUE = Command(
    insert(ObjectDeletion.__table__)
    .values(new_values(ObjectDeletion, ["user_id", "object_key", "repeat_until"]))
    .on_conflict_do_nothing()
)
_NEW_DELETIONS = Statement(
    sa.select(ObjectDeletion.object_key)
    .where(ObjectDeletion.user_id == sa.bindparam("user_id"), ObjectDeletion.attempted_at.is_(None))
    .order_by(ObjectDeletion.created_at)
    .limit(_LIMIT)
    .with_for_update(skip_locked=True),
    ObjectKey,
)
_NEXT_DELETIONS = Statement(
    sa.select(*_DELETION_KEY.clauses, ObjectDeletion.repeat_until <= NOW)
    .where(
        sa.tuple_(
            sa.bindparam("last_user_id", type_=sa.BigInteger),
            sa.bindparam("last_key", type_=sa.Text),
        )
        < _DELETION_KEY
    )
    .order_by(ObjectDeletion.user_id, ObjectDeletion.object_key)
    .limit(_LIMIT)
    .with_for_update(skip_locked=True),
    DueDeletion,
)
_SET_ATTEMPTED = Command(
    sa.update(ObjectDeletion.__table__)
    .where(
        ObjectDeletion.user_id == sa.bindparam("of_user", type_=sa.BigInteger),
        ObjectDeletion.object_key == sa.any_(sa.bindparam("keys", type_=ARRAY(sa.Text))),
    )
    .values(attempted_at=NOW)
)
_COMPLETED = (
    sa.func.unnest(
        sa.bindparam("users", type_=ARRAY(sa.BigInteger)),
        sa.bindparam("keys", type_=ARRAY(sa.Text)),
    )
    .table_valued("user_id", "object_key")
    .render_derived()
)
_DELETE_COMPLETED = Command(
    sa.delete(ObjectDeletion.__table__).where(_DELETION_KEY.in_(sa.select(*_COMPLETED.c)))
)


def count_pending(connection: SupportsExecute, owner: Mapping[str, int]) -> int:
    """The number of a job's pending documents whose upload URL has not expired."""
    return _COUNT_PENDING.one(connection, **owner).number


def delete_replaced(connection: SupportsExecute, document: DocumentRow) -> None:
    """Delete the confirmed document that this one replaces, where its type is single-valued."""
    if document.doc_type in SINGLE_VALUED:
        _DELETE_REPLACED.execute(
            connection,
            user_id=document.user_id,
            application_id=document.application_id,
            doc_type=document.doc_type,
            row_id=document.id,
        )


def delete_expired_uploads(connection: SupportsExecute, limit: int) -> int:
    """Delete pending documents that can no longer be uploaded, and return how many."""
    return _DELETE_EXPIRED.execute(connection, limit=limit)


def enqueue_deletion(
    connection: SupportsExecute, user_id: int, key: str, repeat_until: datetime.datetime
) -> None:
    """Have an object deleted after the transaction is committed.

    :param repeat_until: the time from which the object cannot appear again
    """
    values = {"user_id": user_id, "object_key": key, "repeat_until": repeat_until}
    _ENQUEUE.execute(connection, **new_parameters(values))


def new_deletions(connection: SupportsExecute, user_id: int, limit: int) -> list[str]:
    """The keys of a user's objects whose deletion was not attempted yet; this locks the rows."""
    found = _NEW_DELETIONS.all(connection, user_id=user_id, limit=limit)
    return [deletion.object_key for deletion in found]


def next_deletions(
    connection: SupportsExecute, last: tuple[int, str], limit: int
) -> list[DueDeletion]:
    """The deletions of all users that follow the last user and key; this locks the rows."""
    user_id, key = last
    return _NEXT_DELETIONS.all(connection, last_user_id=user_id, last_key=key, limit=limit)


def set_attempted(connection: SupportsExecute, user_id: int, keys: Collection[str]) -> None:
    """Note that these objects were deleted, though they can appear again."""
    _SET_ATTEMPTED.execute(connection, of_user=user_id, keys=list(keys))


def delete_completed(connection: SupportsExecute, deletions: Sequence[DueDeletion]) -> None:
    """Remove the deletions that need no repetition."""
    _DELETE_COMPLETED.execute(
        connection,
        users=[deletion.user_id for deletion in deletions],
        keys=[deletion.object_key for deletion in deletions],
    )
