"""``root["imports"]``: the imports of the authenticated user."""

import datetime
import uuid
from collections.abc import Collection
from typing import Any, cast

from jobtracker.db.statements import database_time
from jobtracker.errors import Conflict, PayloadTooLarge, RateLimited
from jobtracker.imports import queries
from jobtracker.imports.models import ImportKind, ImportState, OnDuplicate
from jobtracker.imports.queries import CHECK_IMPORT, IMPORTS, RUN_IMPORT, UNDO_IMPORT, ImportRow
from jobtracker.quotas import size_in_words
from jobtracker.tasks.resources import TaskResource, enqueue
from jobtracker.tree import OwnerOnly, PrimaryCollection, Root, RowResource
from jobtracker.users import queries as users

#: Of a file, as of all that is in it.
MAX_BYTES = 2 * 1024**3
#: Imports of a user whose files are stored, or awaited.
MAX_FILES = 5

#: The states in which a file can be checked, or imported. A task can have failed.
CHECKABLE = (ImportState.PENDING, ImportState.CHECKING, ImportState.CHECKED, ImportState.FAILED)
RUNNABLE = (ImportState.PENDING, ImportState.CHECKED, ImportState.FAILED)


class ImportResource(RowResource[ImportRow]):
    """``/imports/3``."""

    kind = "import"

    def upload_url(self) -> str:
        key, size = cast(str, self.row.object_key), self.row.size_bytes
        return cast(str, self.request.bucket.upload_url(key, size_bytes=size, content_type=None))

    def check(self) -> TaskResource:
        """Have a task check the file, and report what is in it.

        :raises Conflict: when it has not arrived, or is imported already
        """
        return self._begin(CHECK_IMPORT, CHECKABLE, state=ImportState.CHECKING, report=None)

    def run(self, on_duplicate: str = OnDuplicate.SKIP) -> TaskResource:
        """Have a task import the file, if all of it can be; one whose task has failed goes on.
        Raises as :meth:`check`."""
        if (self.row.state, self.row.on_duplicate) == (ImportState.RUNNING, on_duplicate):
            return self._enqueue(RUN_IMPORT)
        values = {"state": ImportState.RUNNING, "on_duplicate": on_duplicate}
        return self._begin(RUN_IMPORT, RUNNABLE, **values)

    def undo(self) -> TaskResource:
        """Have a task put all that the import has made into the trash, and delete its file."""
        self.lock()
        if self.row.state != ImportState.UNDONE:
            self.update_columns(state=ImportState.UNDOING)
        return self._enqueue(UNDO_IMPORT)

    def _begin(self, task: str, states: Collection[ImportState], **values: Any) -> TaskResource:
        row = self.row
        self._check_state(states)
        stored = self.request.bucket.uploaded(row.object_key, row.size_bytes)
        self.lock()
        self._check_state(states)
        self.update_columns(**values, etag=stored.etag, done=0, total=None, finished_at=None)
        return self._enqueue(task)

    def _check_state(self, states: Collection[ImportState]) -> None:
        row = self.row
        if row.kind == ImportKind.CSV or row.state not in states or row.object_key is None:
            message = "This import is under way, or has been carried out, or undone."
            raise Conflict(message, details={"code": f"IMPORT_{row.state.upper()}"})

    def _enqueue(self, kind: str) -> TaskResource:
        return enqueue(self, kind, {"import_id": self.row.id})


class ImportCollection(OwnerOnly, PrimaryCollection[ImportRow], under=Root, name="imports"):
    """``/imports``, newest first."""

    repository, item_class = IMPORTS, ImportResource

    def create(self, *, filename: str, size_bytes: int) -> ImportResource:
        """Add an import whose file is about to be uploaded to its ``upload_url()``.

        :raises PayloadTooLarge: beyond MAX_BYTES
        :raises RateLimited: when MAX_FILES files have not been imported
        """
        if size_bytes > MAX_BYTES:
            limit = size_in_words(MAX_BYTES)
            raise PayloadTooLarge(f"The file is too large. An archive can have at most {limit}.")
        user_id = self.user.id
        users.USERS.lock(self.connection, {}, user_id)  # serializes concurrent ones
        upload_seconds = self.request.bucket.upload_seconds
        if queries.count_files(self.connection, user_id) >= MAX_FILES:
            message = f"{MAX_FILES} files have not been imported. Please import or delete one."
            raise RateLimited(message, limit="pending_imports", retry_after=upload_seconds)
        lifetime = datetime.timedelta(seconds=upload_seconds)
        row = self.insert(
            kind=ImportKind.ARCHIVE,
            filename=filename,
            size_bytes=size_bytes,
            object_key=f"incoming/{user_id}/{uuid.uuid4().hex}",
            upload_expires_at=database_time(self.connection) + lifetime,
        )
        return ImportResource(self, row)
