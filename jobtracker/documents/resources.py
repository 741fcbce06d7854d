"""``root["jobs"][7]["documents"]``."""

import contextlib
import datetime
import itertools
import uuid
from collections.abc import Sequence
from typing import Any

from pyramid.events import subscriber

from jobtracker.db.connections import release_autocommit, transaction_of
from jobtracker.db.keyset import Page
from jobtracker.documents import malware_scans, object_deletion_queries, queries
from jobtracker.documents.models import (
    MAX_PENDING,
    UNIQUE_SINGLE_VALUED,
    DocumentStatus,
    ScanStatus,
)
from jobtracker.documents.object_deletions import process_deletions_after_commit
from jobtracker.documents.queries import DOCUMENTS, DocumentRow, DocumentUsageRow
from jobtracker.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unavailable,
)
from jobtracker.jobs.resources import JobChildResource, JobResource, TrashableJobChildCollection
from jobtracker.quotas import QuotaExceeded, size_in_words
from jobtracker.tree import ResourceDeleted, ResourceRestored
from jobtracker.users import queries as users


class DocumentResource(JobChildResource[DocumentRow]):
    """``/jobs/7/documents/5``."""

    kind = "document"

    def upload_url(self) -> str:
        row = self.row
        return self.request.bucket.upload_url(
            row.upload_key, size_bytes=row.size_bytes, content_type=row.content_type
        )

    def confirm(self) -> DocumentRow:
        """Confirm the upload; Conflict unless S3 reports an object of the announced size.

        The object is copied to a key that no upload URL signs and that is written once, so that a
        later PUT changes nothing.
        A document of a single-valued type replaces the one before. With the setting
        ``documents.malware_scan`` it does so, and can be downloaded, once it is scanned.
        """
        if self.row.status == DocumentStatus.PENDING:
            # During the calls of S3: a concurrent confirmation waits, then sees the new status.
            queries.lock_confirmation(self.connection, self.row)
            self.reload()
        document = self.row
        if document.status != DocumentStatus.PENDING:
            return self.check_scan()
        stored = self.request.bucket.uploaded(document.upload_key, document.size_bytes)
        self.request.bucket.copy(document.upload_key, document.object_key, etag=stored.etag)
        now = self.job.touch()
        if self.request.registry.settings["documents.malware_scan"]:
            scanning = {"status": DocumentStatus.SCANNING, "scan_status": ScanStatus.PENDING}
            self.update_columns(**scanning, uploaded_at=now)
        else:
            queries.replace_others(self.connection, document._replace(uploaded_at=now))
            self.update_columns(status=DocumentStatus.UPLOADED, uploaded_at=now)
        object_deletion_queries.enqueue_upload_deletion(self.connection, document)
        process_deletions_after_commit(self.request, document.user_id)
        return self.row

    def check_scan(self) -> DocumentRow:
        """Set the result of the malware scan, if the document waits for one and there is one;
        Unavailable when S3 fails, NotFound when the document was deleted concurrently."""
        if self.row.status == DocumentStatus.SCANNING:
            release_autocommit(self.request)  # not held during the call of S3
            result = malware_scans.read_result(self.request.bucket, self.row)
            if result is not None:
                with transaction_of(self.request) as connection:
                    self.row = malware_scans.record_result(connection, self.row, result)
        return self.row

    def check_scan_if_due(self) -> DocumentRow:
        """As check_scan(), but at most once in an interval, and without an error of S3's."""
        is_scanning = self.row.status == DocumentStatus.SCANNING
        if is_scanning and self.request.registry["scan_look_throttle"].acquire(self.row):
            with contextlib.suppress(Unavailable):  # which is logged
                self.check_scan()
        return self.row

    def download_url(self) -> str:
        """The presigned URL to GET the file from; Conflict until it is uploaded, Forbidden when it
        contains malware."""
        row = self.check_scan()
        if row.status == DocumentStatus.INFECTED:
            raise Forbidden("Malware was found in this document.", details={"code": "INFECTED"})
        if row.status == DocumentStatus.SCANNING:
            message = "This document is being scanned for malware. Please wait a moment."
            raise Conflict(message, details={"code": "SCAN_PENDING"})
        if row.status == DocumentStatus.FAILED:
            raise Conflict(row.scan_message)
        if row.status != DocumentStatus.UPLOADED:
            raise Conflict("This document is not ready to be downloaded.")
        return self.request.bucket.download_url(
            row.object_key, filename=row.original_filename, content_type=row.content_type
        )

    def reload(self) -> DocumentRow:
        """Read the row again; NotFound when it was deleted concurrently."""
        row = DOCUMENTS.find(*self._repository_arguments)
        if row is None:
            raise NotFound
        self.row = row
        return row


class DocumentCollection(
    TrashableJobChildCollection[DocumentRow], under=JobResource, name="documents"
):
    """``/jobs/7/documents``, newest first."""

    repository, item_class = DOCUMENTS, DocumentResource
    quota_name = "documents"
    place = (UNIQUE_SINGLE_VALUED, "The job has another document of this type.")

    def page(
        self, *, limit: int | None = None, after: Sequence[Any] | None = None
    ) -> Page[DocumentRow]:
        """As of any collection; results of malware scans are set before, as far as due."""
        page = super().page(limit=limit, after=after)
        return super().page(limit=limit, after=after) if self._check_scans(page.rows) else page

    def _check_scans(self, documents: Sequence[DocumentRow]) -> bool:
        """Set the results of malware scans that are due, and return whether one was set."""
        scanning = [row for row in documents if row.status == DocumentStatus.SCANNING]
        throttle = self.request.registry["scan_look_throttle"]
        due = (row for row in scanning if throttle.acquire(row))
        found = False
        for row in itertools.islice(due, malware_scans.MAX_LOOKS):
            try:
                found |= DocumentResource(self, row).check_scan() is not row
            except Unavailable:  # which is logged
                break
            except NotFound:
                found = True
        return found

    def create_pending(
        self, *, doc_type: str, filename: str, size_bytes: int, content_type: str | None = None
    ) -> DocumentResource:
        """Add a document that is about to be uploaded to its ``upload_url()``.

        :raises PayloadTooLarge: above the setting ``documents.max_bytes``
        :raises RateLimited: when the job has the maximum number of pending documents
        :raises QuotaExceeded: when the user's documents would be too many, or too large in all
        """
        max_bytes = self.request.registry.settings["documents.max_bytes"]
        if size_bytes > max_bytes:
            limit = size_in_words(max_bytes)
            raise PayloadTooLarge(f"The file is too large. A document can have at most {limit}.")
        now = self.__parent__.touch()
        usage = self._lock_usage()
        upload_seconds = self.request.bucket.upload_seconds
        if usage.pending >= MAX_PENDING:
            message = "uploads have not been completed. Please complete or delete one."
            message = f"{MAX_PENDING} {message}"
            raise RateLimited(message, limit="pending_uploads", retry_after=upload_seconds)
        for quota, needed in (
            (self.quota_name, usage.documents + 1),
            ("document_bytes", usage.bytes + size_bytes),
        ):
            self._check_limit(quota, needed)
        name = f"{self.owner['user_id']}/{uuid.uuid4().hex}"
        document = self.insert(
            doc_type=doc_type,
            original_filename=filename,
            content_type=content_type,
            size_bytes=size_bytes,
            created_at=now,
            upload_expires_at=now + datetime.timedelta(seconds=upload_seconds),
            upload_key=f"incoming/{name}",
            object_key=f"documents/{name}",
        )
        return DocumentResource(self, document)

    def check_quota(self) -> None:
        self._check_limit(self.quota_name, self._lock_usage().documents + 1)

    def check_quota_with_job(self) -> None:
        """Raise QuotaExceeded when the user has too many documents with those of this job, which
        was restored."""
        if self.count():
            self._check_limit(self.quota_name, self._lock_usage().documents)

    def _lock_usage(self) -> DocumentUsageRow:
        # Serializes concurrent creations of the user, so that the limits hold.
        users.USERS.lock(self.connection, {}, self.owner["user_id"])
        return queries.usage(self.connection, self.owner)

    def _check_limit(self, quota: str, needed: int) -> None:
        if needed > (limit := self.quota(quota)):
            raise QuotaExceeded(quota, limit)


@subscriber(ResourceDeleted)
def delete_objects(event: ResourceDeleted) -> None:
    """The deletion of a document leaves objects unreferenced; those of a job, its task deletes."""
    if isinstance(event.resource, DocumentResource):
        process_deletions_after_commit(event.request, event.resource.row.user_id)


@subscriber(ResourceRestored)
def check_quota(event: ResourceRestored) -> None:
    if isinstance(event.resource, JobResource):
        DocumentCollection(event.resource, "documents").check_quota_with_job()
