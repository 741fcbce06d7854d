"""The SQL of documents."""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BIGINT

from jobtracker.db import statements
from jobtracker.db.base import LIMIT, NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import Command, ScalarStatement, Statement
from jobtracker.db.trash import TrashReason
from jobtracker.db.trashable_rows import TrashableRepository
from jobtracker.documents import models
from jobtracker.documents.models import Document, DocumentStatus
from jobtracker.jobs.models import Job


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


class DocumentUsageRow(NamedTuple):
    documents: int
    bytes: int
    pending: int  # of the job, those whose upload URL has not expired


DOCUMENTS = TrashableRepository(
    Document, DocumentRow, owner_columns=Document.OWNER_COLUMNS, order=newest_first(Document)
)

_OF_JOB = (
    Document.user_id == sa.bindparam("user_id"),
    Document.application_id == sa.bindparam("application_id"),
)


def _advisory_key(document_id: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.hashtextextended("confirmation of a document", document_id)


_LOCK_CONFIRMATION = Command(
    sa.select(
        sa.func.pg_advisory_xact_lock(_advisory_key(sa.bindparam("row_id", type_=sa.BigInteger)))
    )
)
_IS_PENDING = Document.status == DocumentStatus.PENDING
_IS_LIVE = Document.trashed_at.is_(None)
#: Documents with their jobs.
WITH_JOBS = Document.__table__.join(
    Job.__table__, sa.and_(Job.user_id == Document.user_id, Job.id == Document.application_id)
)
#: Of these, the number of the user's documents but those in the trash, or of a job there, and the
#: bytes of all of them: objects in the trash take up room as well.
TOTALS = (
    sa.func.count().filter(_IS_LIVE, Job.trashed_at.is_(None)),
    sa.func.coalesce(sa.cast(sa.func.sum(Document.size_bytes), BIGINT), 0),
)
_PENDING = sa.func.count().filter(*_OF_JOB, _IS_LIVE, _IS_PENDING, Document.upload_expires_at > NOW)
_USAGE = Statement(
    sa.select(*TOTALS, _PENDING)
    .select_from(WITH_JOBS)
    .where(Document.user_id == sa.bindparam("user_id")),
    DocumentUsageRow,
)
_CONFIRMED_BEFORE = sa.tuple_(Document.uploaded_at, Document.id) < sa.tuple_(
    sa.bindparam("uploaded_at", type_=Document.__table__.c.uploaded_at.type),
    sa.bindparam("row_id", type_=sa.BigInteger),
)
_OTHERS_OF_TYPE = (
    *_OF_JOB,
    _IS_LIVE,
    Document.doc_type == sa.bindparam("doc_type"),
    Document.id != sa.bindparam("row_id", type_=sa.BigInteger),
)
_IS_UPLOADED = Document.status == DocumentStatus.UPLOADED
_REPLACED = (
    sa.update(Document.__table__)
    .where(*_OTHERS_OF_TYPE, _IS_UPLOADED)
    .values(trashed_at=NOW, trash_reason=TrashReason.REPLACED)
)
_TRASH_REPLACED = Command(_REPLACED)
_REPLACE_OTHERS = Command(
    sa.delete(Document.__table__)
    .where(*_OTHERS_OF_TYPE, sa.not_(_IS_UPLOADED), _CONFIRMED_BEFORE)
    .add_cte(_REPLACED.returning(Document.id).cte("replaced"))
)
_SCAN_RESULT = ["status", "scan_status", "scan_message"]
_SET_SCAN_RESULT = Statement(
    sa.update(Document.__table__)
    .where(*_OF_JOB, Document.id == sa.bindparam("row_id"))
    .values(scan_checked_at=NOW, **statements.new_values(Document, _SCAN_RESULT))
    .returning(*statements.columns_of(Document, DocumentRow)),
    DocumentRow,
)

_DOCUMENT_KEY = sa.tuple_(Document.user_id, Document.id)
_IS_EXPIRED = sa.and_(_IS_PENDING, Document.upload_expires_at < NOW - models.UPLOAD_GRACE)


def _next_documents(condition: sa.ColumnElement[bool]) -> Statement[DocumentRow]:
    """Documents of all users, which follow the last user and id."""
    last = (sa.bindparam(name, type_=sa.BigInteger) for name in ("last_user_id", "last_id"))
    found = sa.select(*statements.columns_of(Document, DocumentRow))
    found = found.where(condition, sa.tuple_(*last) < _DOCUMENT_KEY)
    return Statement(found.order_by(*_DOCUMENT_KEY.clauses).limit(LIMIT), DocumentRow)


_EXPIRED = _next_documents(_IS_EXPIRED)
# Those in the trash, and of jobs there, wait: their result is set after the restoration.
_JOB_IS_LIVE = (
    sa.select(Job.id)
    .where(
        Job.user_id == Document.user_id, Job.id == Document.application_id, Job.trashed_at.is_(None)
    )
    .exists()
)
_IS_SCANNING = sa.and_(Document.status == DocumentStatus.SCANNING, _IS_LIVE, _JOB_IS_LIVE)
_SCANNING = _next_documents(_IS_SCANNING)
_TRY_LOCK_CONFIRMATION = ScalarStatement[bool](
    sa.select(
        sa.func.pg_try_advisory_xact_lock(
            _advisory_key(sa.bindparam("row_id", type_=sa.BigInteger))
        )
    )
)
_DELETE_EXPIRED = Command(
    sa.delete(Document.__table__).where(
        *_OF_JOB, Document.id == sa.bindparam("row_id"), _IS_EXPIRED
    )
)

_BACKLOG = {
    "expired_uploads": statements.count_up_to_limit(Document, _IS_EXPIRED),
    "malware_scans": statements.count_up_to_limit(Document, _IS_SCANNING),
}


def usage(connection: SupportsExecute, owner: Mapping[str, int]) -> DocumentUsageRow:
    """The documents of the user, and the pending ones of the job.

    :param owner: the user and the job
    """
    return _USAGE.first_or_not_found(connection, **owner)


def lock_confirmation(connection: SupportsExecute, document: DocumentRow) -> None:
    """Wait for a concurrent confirmation of a document, and lock out others until the end of the
    transaction. The row is not locked: rows of documents are locked after that of their job."""
    _LOCK_CONFIRMATION.execute(connection, row_id=document.id)


def replace_others(connection: SupportsExecute, document: DocumentRow) -> None:
    """Put the valid document into the trash that one replaces, where its type is single-valued, and
    delete those that were confirmed before it without becoming valid."""
    if document.doc_type in models.SINGLE_VALUED:
        values = {"doc_type": document.doc_type, "uploaded_at": document.uploaded_at}
        _REPLACE_OTHERS.execute(connection, **_identity(document), **values)


def trash_replaced(connection: SupportsExecute, owner: Mapping[str, Any], row_id: int) -> None:
    """Put the valid document into the trash that one of the same single-valued type replaces.

    :param owner: the columns that identify the job, and ``doc_type``
    """
    _TRASH_REPLACED.execute(connection, **owner, row_id=row_id)


def set_scan_result(
    connection: SupportsExecute, document: DocumentRow, result: Mapping[str, Any]
) -> DocumentRow:
    """Set the result of the malware scan; NotFound when the document was deleted concurrently."""
    return _SET_SCAN_RESULT.first_or_not_found(
        connection, **_identity(document), **statements.new_parameters(result)
    )


def next_scanning(
    connection: SupportsExecute, last: tuple[int, int], limit: int
) -> list[DocumentRow]:
    """The documents of all users that are scanned and follow the last user and id."""
    return _SCANNING.all(connection, last_user_id=last[0], last_id=last[1], limit=limit)


def next_expired_uploads(
    connection: SupportsExecute, last: tuple[int, int], limit: int
) -> list[DocumentRow]:
    """The pending documents of all users that can no longer be uploaded and follow the last user
    and id."""
    return _EXPIRED.all(connection, last_user_id=last[0], last_id=last[1], limit=limit)


def count_backlog(connection: SupportsExecute, max_rows: int) -> dict[str, int]:
    """The numbers of rows that wait for the sweeper, by its part; max_rows at most."""
    return {
        name: each.first_or_not_found(connection, max_rows=max_rows)
        for name, each in _BACKLOG.items()
    }


def delete_expired_upload(connection: SupportsExecute, document: DocumentRow) -> int:
    """Delete such a document, unless it is being confirmed; return how many were deleted."""
    if not _TRY_LOCK_CONFIRMATION.first(connection, row_id=document.id):
        return 0
    return _DELETE_EXPIRED.execute(connection, **_identity(document))


def _identity(document: DocumentRow) -> dict[str, int]:
    owner = {"user_id": document.user_id, "application_id": document.application_id}
    return {**owner, "row_id": document.id}
