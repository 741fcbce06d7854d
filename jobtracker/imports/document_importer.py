"""Stores the files of documents whose rows are imported.

A row is pending until its object is stored: the sweeper deletes one of which nothing more comes,
and the object with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from jobtracker.db.connections import SupportsExecute
from jobtracker.db.recording import recording_disabled
from jobtracker.documents.models import DocumentStatus, ScanStatus
from jobtracker.documents.storage import Bucket
from jobtracker.imports import document_queries, row_queries
from jobtracker.imports.archive_reader import ArchiveReader
from jobtracker.imports.context import Context
from jobtracker.imports.document_queries import PendingDocument

# Documents of one transaction: after an interruption, they are stored again.
GROUP = 8


class StoredFile(NamedTuple):
    """The file of a document in the archive."""

    source_id: int
    path: str
    content_type: str | None


class DocumentImporter:
    """Stores the files of documents."""

    def __init__(self, context: Context, bucket: Bucket, reader: ArchiveReader) -> None:
        self._context, self._bucket, self._reader = context, bucket, reader

    def groups(self, files: Sequence[StoredFile]) -> Iterator[Sequence[StoredFile]]:
        """The files, those together that one transaction finishes."""
        for start in range(0, len(files), GROUP):
            yield files[start : start + GROUP]

    def find(
        self, connection: SupportsExecute, files: Iterable[StoredFile]
    ) -> list[tuple[StoredFile, PendingDocument]]:
        """Those of the files whose documents this import has made, and that wait for them."""
        by_id = {file.source_id: file for file in files}
        context = self._context
        pending = document_queries.pending(
            connection, context.user_id, context.source, context.import_id, by_id
        )
        return [(by_id[each.source_id], each) for each in pending]

    def store(self, pending: Iterable[tuple[StoredFile, PendingDocument]]) -> None:
        """Store the objects. Raises Unavailable when S3 fails."""
        for file, document in pending:
            content = self._reader.read_document(
                file.path, self._context.settings["documents.max_bytes"]
            )
            self._bucket.put(document.object_key, content, content_type=file.content_type)

    def finish(
        self, connection: SupportsExecute, pending: Iterable[tuple[StoredFile, PendingDocument]]
    ) -> None:
        """Let the documents be what they were; scans are done here, if any."""
        documents = [document for _file, document in pending]
        user_id = self._context.user_id
        jobs = sorted({each.job_id for each in documents})
        row_queries.LOCK_JOBS.all(connection, user_id=user_id, ids=jobs)
        is_scanned = self._context.settings["documents.malware_scan"]
        status, scan_status = DocumentStatus.UPLOADED, ScanStatus.NOT_SCANNED
        if is_scanned:
            status, scan_status = DocumentStatus.SCANNING, ScanStatus.PENDING
        ids = [each.id for each in documents]
        with recording_disabled(connection):
            document_queries.finish(connection, user_id, ids, status, scan_status)
