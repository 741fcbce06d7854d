"""``root["exports"]``: the exports of the authenticated user."""

import math
import uuid
from typing import Any, cast

from jobtracker.audit import recording
from jobtracker.audit.models import AuditKind
from jobtracker.documents.object_deletions import process_deletions_after_commit
from jobtracker.errors import Conflict, RateLimited
from jobtracker.exports import queries
from jobtracker.exports.queries import EXPORT, EXPORTS, MAX_EXPORTS, ExportRow
from jobtracker.tasks.models import TaskState
from jobtracker.tasks.queries import enqueue
from jobtracker.tree import OwnerOnly, PrimaryCollection, Root, RowResource
from jobtracker.users import queries as users


class ExportResource(RowResource[ExportRow]):
    """``/exports/3``."""

    kind = "export"

    def download_url(self) -> str:
        """The presigned URL to GET the archive from; Conflict until it is written."""
        row = self.row
        if row.state != TaskState.DONE:
            message = "This export is not ready to be downloaded."
            if row.state == TaskState.FAILED:
                message = "This export has failed. Please begin another one."
            raise Conflict(message, details={"code": f"EXPORT_{row.state.upper()}"})
        filename = f"jobtracker-{row.created_at:%Y-%m-%d}.zip"
        return self.request.bucket.download_url(
            row.object_key, filename=filename, content_type="application/zip"
        )

    def delete(self, **options: Any) -> None:
        """Delete the row, with the object after the commit; a task that writes it ends."""
        super().delete(**options)
        process_deletions_after_commit(self.request, self.row.user_id)


class ExportCollection(OwnerOnly, PrimaryCollection[ExportRow], under=Root, name="exports"):
    """``/exports``, newest first."""

    repository, item_class = EXPORTS, ExportResource

    def create(self, *, documents: bool) -> ExportResource:
        """Have a task write an archive of all that the user stores.

        :raises Conflict: while another one is not finished
        :raises RateLimited: after MAX_EXPORTS in a day
        """
        connection, user_id = self.connection, self.user.id
        users.USERS.lock(connection, {}, user_id)  # serializes concurrent ones
        usage = queries.usage(connection, user_id)
        if usage.is_one_unfinished:
            message = "Another export is under way. Please wait for its end, or delete it."
            raise Conflict(message, details={"code": "EXPORT_UNDER_WAY"})
        if usage.begun >= MAX_EXPORTS:
            message = f"You can begin {MAX_EXPORTS} exports in 24 hours."
            wait = math.ceil(usage.seconds or 0)
            raise RateLimited(message, limit="exports", retry_after=max(wait, 1))
        object_key = f"exports/{user_id}/{uuid.uuid4().hex}.zip"
        args = {"object_key": object_key, "documents": documents}
        task_id = enqueue(connection, user_id, EXPORT, args)
        export_id = queries.insert(
            connection, user_id, task_id=task_id, documents=documents, object_key=object_key
        )
        session = self.request.verified_token.origin_jti
        recording.record(self.request, connection, AuditKind.EXPORT_REQUESTED, user_id, session)
        return cast(ExportResource, self.find(export_id))
