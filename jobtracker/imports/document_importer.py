"""Stores the files of documents whose rows are imported.

A row is pending until its object is stored: the sweeper deletes one of which nothing more comes,
and the object with it.
"""

from collections.abc import Sequence

from jobtracker.archive.manifest import Manifest
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.recording import recording_disabled
from jobtracker.documents.models import DocumentStatus, ScanStatus
from jobtracker.documents.storage import Bucket
from jobtracker.imports import document_queries, row_queries
from jobtracker.imports.archive_reader import ArchiveReader, Row
from jobtracker.imports.context import Context
from jobtracker.imports.document_queries import PendingDocument

# Documents of one transaction: after an interruption, they are stored again.
GROUP = 8
#: The statuses that a document without its file keeps; with another one, it becomes failed.
WITHOUT_FILE = (DocumentStatus.INFECTED, DocumentStatus.FAILED)


def has_file(row: Row, manifest: Manifest) -> bool:
    """Whether the archive has the file of a document."""
    return row["file"] is not None and row["file"] in manifest.files


def find_pending(
    connection: SupportsExecute, context: Context, rows: Sequence[Row]
) -> list[PendingDocument]:
    """Of some documents of the archive, those that this import has made and that have no file."""
    key = {"user_id": context.user_id, "import_id": context.import_id, "source": context.source}
    return document_queries.PENDING.all(connection, **key, ids=[row["id"] for row in rows])


def store(
    context: Context, bucket: Bucket, reader: ArchiveReader, row: Row, document: PendingDocument
) -> None:
    """Store the object of a document. Raises Unavailable when S3 fails."""
    content = reader.read_document(row["file"], context.settings["documents.max_bytes"])
    bucket.put(document.object_key, content, content_type=row["content_type"])


def finish(
    connection: SupportsExecute, context: Context, pending: Sequence[PendingDocument]
) -> None:
    """Let documents be uploaded ones. Scans for malware are those of this installation."""
    jobs = sorted({each.job_id for each in pending})
    row_queries.LOCK_JOBS.all(connection, user_id=context.user_id, ids=jobs)
    status, scan_status = DocumentStatus.UPLOADED, ScanStatus.NOT_SCANNED
    if context.settings["documents.malware_scan"]:
        status, scan_status = DocumentStatus.SCANNING, ScanStatus.PENDING
    ids = [each.id for each in pending]
    with recording_disabled(connection):
        document_queries.finish(connection, context.user_id, ids, status, scan_status)
