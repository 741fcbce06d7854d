"""The task that writes an export to S3."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator

from jobtracker.archive.queries import source_of
from jobtracker.archive.writing import ArchiveWriter
from jobtracker.db.connections import SupportsExecute
from jobtracker.documents import TRANSFERS, make_bucket, malware_scans
from jobtracker.documents.storage import Bucket
from jobtracker.errors import Unavailable
from jobtracker.exports import queries
from jobtracker.exports.queries import EXPORT, Complete
from jobtracker.tasks.kinds import task_kind
from jobtracker.tasks.runner import RunningTask

# Bytes; S3 has 10,000 parts at most.
PART = 8 * 1024 * 1024
# Seconds between two updates of the progress.
INTERVAL = 1


class ExportDeleted(Exception):
    """The user has deleted the export, or the account."""


class MultipartUpload:
    """A file that is written to S3 in parts, of which one is in memory."""

    def __init__(self, bucket: Bucket, key: str, on_part: Callable[[], None]) -> None:
        self._bucket, self._key, self._on_part = bucket, key, on_part
        self._id = bucket.create_upload(key, content_type="application/zip")
        self._etags: list[str] = []
        self._part = bytearray()
        self.size_bytes, self.sha256 = 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._part += data
        self.size_bytes += len(data)
        self.sha256.update(data)
        while len(self._part) >= PART:
            self._send(bytes(self._part[:PART]))
            del self._part[:PART]
        return len(data)

    def flush(self) -> None:
        """Nothing: a part has a minimum size."""

    def complete(self) -> None:
        """Send what is left, and make the object."""
        self._send(bytes(self._part))
        self._bucket.complete_upload(self._key, self._id, self._etags, self.size_bytes)

    def abort(self) -> None:
        with contextlib.suppress(Unavailable):
            self._bucket.abort_upload(self._key, self._id)

    def _send(self, part: bytes) -> None:
        self._on_part()
        number = len(self._etags) + 1
        self._etags.append(self._bucket.upload_part(self._key, self._id, number, part))


@contextlib.contextmanager
def multipart_upload(
    bucket: Bucket, key: str, on_part: Callable[[], None] = lambda: None
) -> Iterator[MultipartUpload]:
    """An object that is complete at the end of the block; an exception aborts the upload."""
    upload = MultipartUpload(bucket, key, on_part)
    try:
        yield upload
        upload.complete()
    except BaseException:
        upload.abort()
        raise


@task_kind(EXPORT, is_resumable=False)
def write_export(task: RunningTask) -> None:
    """Write the archive of a user to S3. An attempt begins anew, with another multipart upload to
    the same key."""
    key = task.args["object_key"]
    bucket = make_bucket(task.registry.settings, **TRANSFERS)
    try:
        with _batch(task) as connection:
            source = source_of(connection, task.user_id)
        # Files are exported whose scan has ended, though no read of a list has seen that yet.
        malware_scans.sweep_user(task.sessions, bucket, task.user_id)
        bucket.abort_uploads(key)  # those of attempts whose worker was killed
        progress = _Progress(task)
        with multipart_upload(bucket, key, progress.store_if_due) as upload:
            writer = ArchiveWriter(
                task.sessions,
                bucket,
                task.user_id,
                source=source,
                documents=task.args["documents"],
                report_progress=progress.report,
            )
            manifest = writer.write(upload)
            progress.store()
        sha256 = upload.sha256.hexdigest()
        complete = Complete(upload.size_bytes, sha256, manifest.revision, manifest.counts)
        with task.batch() as connection:
            if not queries.complete(connection, task.user_id, task.lease.id, complete):
                raise ExportDeleted
    except ExportDeleted:
        bucket.abort_uploads(key)
        bucket.delete_objects([key])


@contextlib.contextmanager
def _batch(task: RunningTask) -> Iterator[SupportsExecute]:
    """A batch of a task.

    :raises ExportDeleted: where there is no export any more
    """
    with task.batch() as connection:
        if not queries.exists(connection, task.user_id, task.lease.id):
            raise ExportDeleted
        yield connection


class _Progress:
    """Stores the progress at most each INTERVAL, which also renews the lease, and ends the task
    when the export was deleted.

    What an attempt reports before it is further than the one before it is not stored: the progress
    never goes back, and counts as one of the task when it is.
    """

    def __init__(self, task: RunningTask) -> None:
        self._task = task
        self._stored_at = time.monotonic()
        self._done = self._total = 0

    def report(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        self.store_if_due()

    def store_if_due(self) -> None:
        if time.monotonic() - self._stored_at >= INTERVAL:
            self.store()

    def store(self) -> None:
        done = min(max(self._task.done, self._done), self._total)
        with _batch(self._task):
            self._task.done, self._task.total = done, self._total
        self._stored_at = time.monotonic()
