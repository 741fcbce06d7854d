"""``root["jobs"][7]["documents"]``."""

import datetime
import uuid

from pyramid.events import subscriber

from jobtracker.documents import queries
from jobtracker.documents.models import MAX_PENDING, DocumentStatus
from jobtracker.documents.object_deletions import process_deletions_after_commit
from jobtracker.documents.queries import DOCUMENTS, DocumentRow
from jobtracker.errors import Conflict, PayloadTooLarge, RateLimited
from jobtracker.jobs.resources import JobChildCollection, JobChildResource, JobResource
from jobtracker.quotas import QuotaExceeded
from jobtracker.tree import ResourceDeleted
from jobtracker.users import queries as users


class DocumentResource(JobChildResource[DocumentRow]):
    """``/jobs/7/documents/5``."""

    def upload_url(self) -> str:
        """The presigned URL to PUT the file to."""
        row = self.row
        return self.request.bucket.upload_url(
            row.upload_key, size_bytes=row.size_bytes, content_type=row.content_type
        )

    def confirm(self) -> DocumentRow:
        """Confirm the upload; Conflict unless S3 reports an object of the announced size.

        The object is copied to a key that no upload URL signs, so that a later PUT changes nothing.
        A document of a single-valued type replaces the one before.
        """
        # Locked during the calls of S3: a concurrent confirmation waits, then sees the new status.
        document = self.lock()
        if document.status != DocumentStatus.PENDING:
            return document
        stored = self.request.bucket.stat(document.upload_key)
        if stored is None or stored.size_bytes != document.size_bytes:
            raise Conflict("The file has not arrived yet.")
        self.request.bucket.copy(document.upload_key, document.object_key, etag=stored.etag)
        now = self.job.touch()
        queries.delete_replaced(self.connection, self.__parent__.owner, document)
        self.update_columns(status=DocumentStatus.UPLOADED, uploaded_at=now)
        queries.enqueue_upload_deletion(self.connection, document)
        process_deletions_after_commit(self.request, document.user_id)
        return self.row

    def download_url(self) -> str:
        """The presigned URL to GET the file from; Conflict until it is uploaded."""
        row = self.row
        if row.status != DocumentStatus.UPLOADED:
            raise Conflict("This document is not ready to be downloaded.")
        return self.request.bucket.download_url(
            row.object_key, filename=row.original_filename, content_type=row.content_type
        )

    def delete(self) -> None:
        """Delete the document, and its object after the commit."""
        self.lock()  # before the job, as in confirm()
        super().delete()


class DocumentCollection(JobChildCollection[DocumentRow], under=JobResource, name="documents"):
    """``/jobs/7/documents``, newest first."""

    repository, item_class = DOCUMENTS, DocumentResource

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
            raise PayloadTooLarge(f"A document can have at most {max_bytes} bytes.")
        now = self.__parent__.touch()
        # Serializes concurrent creations of the user, so that the limits hold.
        users.USERS.lock(self.connection, {}, self.owner["user_id"])
        usage = queries.usage(self.connection, self.owner)
        upload_seconds = self.request.bucket.upload_seconds
        if usage.pending >= MAX_PENDING:
            message = "uploads have not been completed. Please complete or delete one."
            raise RateLimited(f"{MAX_PENDING} {message}", retry_after=upload_seconds)
        for quota, needed in (
            ("documents", usage.documents + 1),
            ("document_bytes", usage.bytes + size_bytes),
        ):
            if needed > (quota_limit := self.quota(quota)):
                raise QuotaExceeded(quota, quota_limit)
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


@subscriber(ResourceDeleted)
def delete_objects(event: ResourceDeleted) -> None:
    """Deleting a job or a document leaves objects unreferenced."""
    if isinstance(event.resource, JobResource | DocumentResource):
        process_deletions_after_commit(event.request, event.resource.row.user_id)
