"""``root["jobs"][7]["documents"]``."""

from collections.abc import Sequence
from typing import Any

from pyramid.events import subscriber

from jobtracker.db.keyset import MAX_LIMIT, Page
from jobtracker.documents.models import (
    MAX_PENDING,
    UPLOAD_GRACE,
    Document,
    DocumentStatus,
    ObjectDeletion,
)
from jobtracker.documents.outbox import process_deletions_after_commit
from jobtracker.errors import Conflict, PayloadTooLarge, RateLimited
from jobtracker.jobs.resources import JobResource
from jobtracker.tree import Collection, Resource, ResourceDeleted


class DocumentCollection(Collection, under=JobResource, name="documents"):
    """``/jobs/7/documents``."""

    __parent__: JobResource

    def find(self, row_id: int) -> "DocumentResource":
        document = Document.by_id(self.db, self.user.id, self.__parent__.job.id, row_id)
        if document is None:
            raise KeyError(row_id)
        return DocumentResource(self, document)

    def page(self, *, limit: int = MAX_LIMIT, after: Sequence[Any] | None = None) -> Page:
        """Some of the documents, newest first."""
        job_id = self.__parent__.job.id
        return Document.page_of_job(self.db, self.user.id, job_id, limit, after)

    def list(self) -> Sequence[Document]:
        """The documents, newest first."""
        return self.page().rows

    def announce(
        self, *, doc_type: str, filename: str, size_bytes: int, content_type: str | None = None
    ) -> "DocumentResource":
        """Say what is about to be uploaded. :meth:`DocumentResource.upload_url` says where to.

        :raises PayloadTooLarge: beyond the setting ``documents.max_bytes``
        :raises RateLimited: when too many were announced and not confirmed
        """
        max_bytes = self.request.registry.settings["documents.max_bytes"]
        if size_bytes > max_bytes:
            raise PayloadTooLarge(f"A document can have at most {max_bytes} bytes.")
        job = self.__parent__
        job.lock()  # announcements of a job come one after the other, so that none slips by
        upload_seconds = self.request.bucket.upload_seconds
        if Document.count_pending(self.db, self.user.id, job.job.id) >= MAX_PENDING:
            raise RateLimited(
                f"{MAX_PENDING} uploads have not been completed. Please complete or delete one.",
                retry_after=upload_seconds,
            )
        document = Document.announced(
            self.user.id,
            job.job.id,
            doc_type=doc_type,
            filename=filename,
            content_type=content_type,
            size_bytes=size_bytes,
            created_at=job.touch(),
            upload_seconds=upload_seconds,
        )
        self.db.add(document)
        self.db.flush()
        return DocumentResource(self, document)


class DocumentResource(Resource):
    """``/jobs/7/documents/5``."""

    __parent__: DocumentCollection

    def __init__(self, parent: Resource, document: Document) -> None:
        super().__init__(parent, str(document.id))
        self.document = document

    def upload_url(self) -> str:
        """Where to PUT the file."""
        return self.request.bucket.upload_url(
            self.document.upload_key,
            size_bytes=self.document.size_bytes,
            content_type=self.document.content_type,
        )

    def confirm(self) -> Document:
        """Take over what was uploaded. What S3 says counts, not what the client says.

        The object is copied to a key that no upload URL ever signed, so that a later PUT changes
        nothing. A single-valued type now replaces the one before.

        :raises Conflict: when it is not there yet, or not what was announced
        """
        document = self.document
        # Held while S3 is asked, so that of two confirmations the second finds the first one done.
        document.lock(self.db)
        if document.status != DocumentStatus.PENDING:
            return document
        stored = self.request.bucket.stat(document.upload_key)
        if stored is None or stored.size_bytes != document.size_bytes:
            raise Conflict("The file has not arrived yet.")
        self.request.bucket.copy(document.upload_key, document.object_key, etag=stored.etag)
        now = self.__parent__.__parent__.touch()
        document.replace_others(self.db)
        document.status = DocumentStatus.UPLOADED
        document.uploaded_at = now
        self.db.flush()
        no_more = document.upload_expires_at + UPLOAD_GRACE
        ObjectDeletion.ask(self.db, document.user_id, document.upload_key, until=no_more)
        process_deletions_after_commit(self.request)
        return document

    def download_url(self) -> str:
        """Where to GET the file, under its original name.

        :raises Conflict: until it is uploaded
        """
        document = self.document
        if document.status != DocumentStatus.UPLOADED:
            raise Conflict("This document is not ready to be downloaded.")
        return self.request.bucket.download_url(
            document.object_key,
            filename=document.original_filename,
            content_type=document.content_type,
        )

    def delete(self) -> None:
        """Forget the document, and have its object deleted."""
        self.document.lock(self.db)  # before the job, as in confirm()
        self.__parent__.__parent__.touch()
        self.document.remove(self.db)
        self.deleted()


@subscriber(ResourceDeleted)
def delete_objects(event: ResourceDeleted) -> None:
    """With a job its documents are gone, and with a document its object is to go."""
    if isinstance(event.resource, JobResource | DocumentResource):
        process_deletions_after_commit(event.request)
