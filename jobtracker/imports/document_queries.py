"""The SQL of documents that are imported."""

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from jobtracker.db.base import IDS, NOW, USER_ID, sql_array
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Command, Statement, columns_of
from jobtracker.db.trash import TrashReason
from jobtracker.documents.models import SINGLE_VALUED, Document, DocumentStatus, ScanStatus
from jobtracker.imports.models import ImportSource


class PendingDocument(NamedTuple):
    """A document whose file is to be stored."""

    source_id: int
    id: int
    job_id: int
    object_key: str


class TakenType(NamedTuple):
    """A type of documents of which a job can have one, and has."""

    application_id: int
    doc_type: str


_IS_PENDING = Document.status == DocumentStatus.PENDING
#: The documents that an import has made and that are pending, of those of a source.
PENDING = Statement(
    sa.select(ImportSource.source_id, Document.id, Document.application_id, Document.object_key)
    .select_from(
        sa.join(
            ImportSource,
            Document,
            sa.and_(Document.user_id == ImportSource.user_id, Document.id == ImportSource.row_id),
        )
    )
    .where(
        ImportSource.user_id == USER_ID,
        Document.user_id == USER_ID,
        ImportSource.source == sa.bindparam("source", type_=sa.Text),
        ImportSource.kind == "document",
        ImportSource.import_id == sa.bindparam("import_id", type_=sa.BigInteger),
        ImportSource.source_id == sa.any_(IDS),
        _IS_PENDING,
    )
    .order_by(ImportSource.source_id),
    PendingDocument,
)
_IS_SINGLE = Document.doc_type == sa.any_(sql_array(SINGLE_VALUED))
#: Those of jobs.
TAKEN_TYPES = Statement(
    sa.select(*columns_of(Document, TakenType)).where(
        Document.user_id == USER_ID,
        Document.application_id == sa.any_(IDS),
        Document.trashed_at.is_(None),
        Document.status == sa.literal_column(f"'{DocumentStatus.UPLOADED}'", sa.Text),
        _IS_SINGLE,
    ),
    TakenType,
)
_OTHER = aliased(Document)
_HAS_OTHER = (
    sa.select(_OTHER.id)
    .where(
        _OTHER.user_id == USER_ID,
        _OTHER.application_id == Document.application_id,
        _OTHER.doc_type == Document.doc_type,
        _OTHER.trashed_at.is_(None),
        _OTHER.status == DocumentStatus.UPLOADED,
    )
    .exists()
)
_ARE_PENDING = (Document.user_id == USER_ID, Document.id == sa.any_(IDS), _IS_PENDING)
_TRASH_REPLACED = Command(
    sa.update(Document.__table__)
    .where(*_ARE_PENDING, Document.trashed_at.is_(None), _IS_SINGLE, _HAS_OTHER)
    .values(trashed_at=NOW, trash_reason=TrashReason.REPLACED)
)
_FINISH = Command(
    sa.update(Document.__table__)
    .where(*_ARE_PENDING)
    .values(
        status=sa.bindparam("new_status", type_=sa.Text),
        scan_status=sa.bindparam("new_scan_status", type_=sa.Text),
        scan_checked_at=None,
        scan_message=None,
        upload_expires_at=NOW,
    )
)


def finish(
    connection: SupportsExecute,
    user_id: int,
    ids: Collection[int],
    status: DocumentStatus,
    scan_status: ScanStatus,
) -> None:
    """Set the status of pending documents. One whose place another one has taken meanwhile is a
    replaced one."""
    if ids:
        _TRASH_REPLACED.execute(connection, user_id=user_id, ids=[*ids])
        new = {"new_status": status, "new_scan_status": scan_status}
        _FINISH.execute(connection, user_id=user_id, ids=[*ids], **new)
