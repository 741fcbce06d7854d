"""Deletions of objects in S3, queued in the database (transactional outbox pattern).

A row of ``object_deletions`` is inserted in the transaction that makes an object unreferenced, and
processed after its commit. The sweeper repeats the deletion until the object cannot appear again.
"""

import itertools
import logging

from pyramid.request import Request
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.connections import SupportsExecute, transaction
from jobtracker.documents import object_deletion_queries as queries
from jobtracker.documents import queries as documents
from jobtracker.documents.object_deletion_queries import DeletionRow
from jobtracker.documents.storage import Bucket
from jobtracker.errors import Unavailable
from jobtracker.jobs.queries import LOCK_ANY as LOCK_JOB
from jobtracker.logs.outages import log_outage
from jobtracker.tasks.runner import RunningTask

log = logging.getLogger(__name__)

# Objects of one transaction: S3 has to answer within gateways.read_timeout.
BATCH = 500
# Expired uploads that are read at once.
UPLOADS = 1000


def process_deletions_after_commit(request: Request, user_id: int) -> None:
    """Delete the unreferenced objects of a user after the commit; if S3 fails, the sweeper does."""

    def after_commit(committed: bool) -> None:
        if committed:
            try:
                process_deletions(request.registry["db_sessions"], request.bucket, user_id)
            except Unavailable:
                log_outage(log, "S3", "Objects of user %s are left to the sweeper", user_id)

    request.tm.get().addAfterCommitHook(after_commit)


def process_deletions(sessions: sessionmaker[Session], bucket: Bucket, user_id: int) -> None:
    """Delete unreferenced objects of a user, :data:`BATCH` at most.

    :raises Unavailable: when S3 deletes none of them
    """
    with transaction(sessions) as connection:
        _process_batch(connection, bucket, user_id, BATCH)


def process_all(task: RunningTask) -> None:
    """Delete the unreferenced objects of the task's user that were not attempted yet.

    :raises Unavailable: when S3 deletes none of a batch
    """
    deleted = 1
    while deleted:
        with task.batch() as connection:
            limit = max(BATCH >> task.failures, 1)  # S3 may have been too slow for more
            deleted = _process_batch(connection, task.registry["bucket"], task.user_id, limit)
            task.has_progressed |= deleted > 0


def _process_batch(connection: SupportsExecute, bucket: Bucket, user_id: int, limit: int) -> int:
    rows = queries.find_new(connection, user_id, limit)
    deleted = _delete_objects(bucket, rows)
    if rows and not deleted:
        raise Unavailable
    queries.record(connection, user_id, deleted)
    return len(deleted)


def _delete_objects(bucket: Bucket, rows: list[DeletionRow]) -> list[DeletionRow]:
    """Delete objects, and return the rows of those that S3 deleted."""
    failed = bucket.delete_objects([row.object_key for row in rows]) if rows else ()
    return [row for row in rows if row.object_key not in failed]


def delete_expired_uploads(sessions: sessionmaker[Session]) -> int:
    """Delete expired uploads, in the trash too, and return their number; none that is being
    confirmed."""
    expired = 0
    last = (0, 0)
    while True:
        with transaction(sessions) as connection:
            found = documents.next_expired_uploads(connection, last, limit=UPLOADS)
        if not found:
            return expired
        for user_id, of_user in itertools.groupby(found, key=lambda row: row.user_id):
            with transaction(sessions) as connection:
                for document in of_user:
                    # The job first, as in all writes below it: two of them cannot deadlock.
                    LOCK_JOB.first(connection, user_id=user_id, job_id=document.application_id)
                    expired += documents.delete_expired_upload(connection, document)
        last = (found[-1].user_id, found[-1].id)


def sweep(sessions: sessionmaker[Session], bucket: Bucket) -> tuple[int, int]:
    """Delete unreferenced objects whose deletion is due; one of concurrent sweeps does.

    :returns: the numbers of deleted and of not deleted objects
    :raises Unavailable: when S3 fails; the deletions stay queued
    """
    deleted = failed = 0
    last = (0, "")
    while True:
        with transaction(sessions) as connection:
            rows = queries.next_due(connection, last, limit=BATCH)
            if not rows:
                return deleted, failed
            done = _delete_objects(bucket, rows)
            for user_id, of_user in itertools.groupby(done, key=lambda row: row.user_id):
                queries.record(connection, user_id, list(of_user))
        deleted += len(done)
        failed += len(rows) - len(done)
        last = (rows[-1].user_id, rows[-1].object_key)
