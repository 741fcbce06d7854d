"""``root["jobs"][7]["documents"][5]["versions"]``."""

import datetime
from collections.abc import Sequence
from typing import Any, cast

from jobtracker.db.keyset import MAX_LIST, Page
from jobtracker.document_versions import queries
from jobtracker.document_versions.queries import ReplacedDocumentRow
from jobtracker.documents.models import DocumentStatus
from jobtracker.documents.queries import trash_replaced
from jobtracker.documents.resources import DocumentCollection, DocumentResource
from jobtracker.errors import Conflict
from jobtracker.tree import Collection, ItemResource


class VersionCollection(Collection, under=DocumentResource, name="versions"):
    """``/jobs/7/documents/5/versions``: what the document replaced, the latest first; of a type of
    which a job can have several documents, none."""

    __parent__: DocumentResource
    kind = DocumentResource.kind
    kind_of_child = "version of the document"

    @property
    def owner(self) -> dict[str, Any]:
        """The columns that the versions have in common, with their values."""
        document = self.__parent__
        return {**document.__parent__.owner, "doc_type": document.row.doc_type}

    @property
    def period(self) -> datetime.timedelta:
        """The time after which what is in the trash is purged."""
        return datetime.timedelta(days=self.request.registry.settings["trash.days"])

    def page(
        self, *, limit: int | None = None, after: Sequence[Any] | None = None
    ) -> Page[ReplacedDocumentRow]:
        """At most ``limit`` versions, or :data:`jobtracker.db.keyset.MAX_LIST`: those that follow
        the one with the sort keys ``after``."""
        return queries.page(self.connection, self.owner, self.period, limit or MAX_LIST, after)

    def find(self, row_id: int) -> "VersionResource":
        row = queries.find(self.connection, self.owner, self.period, row_id)
        if row is None:
            raise KeyError(row_id)
        return VersionResource(self, row)


class VersionResource(ItemResource[ReplacedDocumentRow]):
    """``/jobs/7/documents/5/versions/4``."""

    __parent__: VersionCollection
    kind = VersionCollection.kind_of_child

    def download_url(self) -> str:
        """The presigned URL to GET the file from; Conflict while a scan for malware, which an
        imported one waits for, has no result."""
        row = self.row
        if row.status == DocumentStatus.SCANNING:
            message = "This document has not been scanned for malware. Please restore it first."
            raise Conflict(message, details={"code": "SCAN_PENDING"})
        if row.status != DocumentStatus.UPLOADED:
            raise Conflict("This document is not ready to be downloaded.")
        return self.request.bucket.download_url(
            row.object_key, filename=row.original_filename, content_type=row.content_type
        )

    def restore(self) -> DocumentResource:
        """Replace the current document by this one, as an upload would.

        :raises NotFound: when it was restored or deleted concurrently
        :raises QuotaExceeded: when there is no current one, and the user has the maximum number
        """
        documents = cast(DocumentCollection, self.__parent__.__parent__.__parent__)
        documents.__parent__.touch()  # locks the job
        trash_replaced(self.connection, self.__parent__.owner, self.row.id)
        restored = documents.restore(self.row.id)
        queries.record_upload(self.connection, restored.row)
        return cast(DocumentResource, restored)
