"""The SQL of the versions of documents: documents of the same type that were replaced."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from jobtracker.db.base import PERIOD
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import Page, Sort, SortKey
from jobtracker.db.statements import Command, PageStatement, Statement, columns_of
from jobtracker.db.trash import TrashReason, in_trash
from jobtracker.documents.models import Document
from jobtracker.documents.queries import DocumentRow


class ReplacedDocumentRow(NamedTuple):
    id: int
    application_id: int
    doc_type: str
    original_filename: str
    content_type: str | None
    size_bytes: int
    object_key: str
    status: str
    scan_status: str
    scan_checked_at: datetime.datetime | None
    scan_message: str | None
    uploaded_at: datetime.datetime | None
    created_at: datetime.datetime
    replaced_at: datetime.datetime
    purge_at: datetime.datetime


_REPLACED_AT = Document.trashed_at.label("replaced_at")
_EXPRESSIONS = {
    "replaced_at": _REPLACED_AT,
    "purge_at": (Document.trashed_at + PERIOD).label("purge_at"),
}
_VERSIONS = sa.select(*columns_of(Document, ReplacedDocumentRow, _EXPRESSIONS)).where(
    *(Document.__table__.c[name] == sa.bindparam(name) for name in Document.OWNER_COLUMNS),
    Document.doc_type == sa.bindparam("doc_type"),
    Document.trash_reason == TrashReason.REPLACED,
    in_trash(Document),
)
_ORDER = Sort(SortKey(_REPLACED_AT, descending=True), SortKey(Document.id, descending=True))
_PAGE = PageStatement(_VERSIONS, ReplacedDocumentRow, _ORDER)
_FIND = Statement(_VERSIONS.where(Document.id == sa.bindparam("row_id")), ReplacedDocumentRow)

# By the values of the row: Citus sends no function to a shard that reads others.
_RECORD_UPLOAD = Command(
    sa.select(
        sa.func.record_activity(
            sa.bindparam("user_id", type_=sa.BigInteger),
            sa.bindparam("application_id", type_=sa.BigInteger),
            "document_uploaded",
            "Document uploaded",
            sa.bindparam("data", type_=JSONB),
        )
    )
)


def page(
    connection: SupportsExecute,
    owner: Mapping[str, Any],
    period: datetime.timedelta,
    limit: int,
    after: Sequence[Any] | None,
) -> Page[ReplacedDocumentRow]:
    """Those that were replaced, the latest first.

    :param owner: the columns that identify the job, and ``doc_type``
    :param period: the time after which a row in the trash is purged
    """
    return _PAGE.page(connection, limit, after, period=period, **owner)


def find(
    connection: SupportsExecute, owner: Mapping[str, Any], period: datetime.timedelta, row_id: int
) -> ReplacedDocumentRow | None:
    return _FIND.first(connection, **owner, period=period, row_id=row_id)


def record_upload(connection: SupportsExecute, document: DocumentRow) -> None:
    data = {
        "document_id": document.id,
        "doc_type": document.doc_type,
        "filename": document.original_filename,
    }
    owner = {"user_id": document.user_id, "application_id": document.application_id}
    _RECORD_UPLOAD.execute(connection, **owner, data=data)
