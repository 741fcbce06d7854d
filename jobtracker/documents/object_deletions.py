"""Deletions of objects in S3, queued in the database (transactional outbox pattern).

A row of ``object_deletions`` is inserted in the transaction that makes an object unreferenced, and
processed after its commit. The sweeper repeats the deletion until the object cannot appear again.
"""

import itertools
import logging

from pyramid.request import Request
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.connections import SupportsExecute, transaction
from jobtracker.documents import queries
from jobtracker.documents.queries import DeletionRow
from jobtracker.documents.storage import MAX_DELETIONS, Bucket
from jobtracker.errors import Unavailable
from jobtracker.jobs.queries import LOCK_ANY as LOCK_JOB
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)

# Objects of one transaction: S3 has to answer within gateways.read_timeout.
BATCH = 100


def process_deletions_after_commit(request: Request, user_id: int) -> None:
    """Delete the unreferenced objects of a user after the commit; if S3 fails, the sweeper does."""

    def after_commit(committed: bool) -> None:
        if committed:
            try:
                process_deletions(request.registry["db_sessions"], request.bucket, user_id)
            except Unavailable:
                log_outage(log, "S3", "Objects of user %s are left to the sweeper", user_id)

    request.tm.get().addAfterCommitHook(after_commit)


def process_deletions(sessions: sessionmaker[Session], bucket: Bucket, user_id: int) -> int:
    """Delete unreferenced objects of a user, MAX_DELETIONS at most; return how many were deleted.

    :raises Unavailable: when S3 fails
    """
    with transaction(sessions) as connection:
        rows = queries.new_deletions(connection, user_id, limit=MAX_DELETIONS)
        if deleted := _delete_objects(bucket, rows):
            queries.set_attempted(connection, user_id, deleted)
        return len(deleted)


def process_batch(connection: SupportsExecute, bucket: Bucket, user_id: int) -> int:
    """Delete some unreferenced objects of a user that were not attempted yet, and what told of
    them, as far as it need not be repeated; return their number.

    :raises Unavailable: when S3 deletes none of them
    """
    rows = queries.new_deletions(connection, user_id, limit=BATCH)
    deleted = _delete_objects(bucket, rows)
    if rows and not deleted:
        raise Unavailable
    queries.set_attempted(connection, user_id, deleted)
    queries.delete_completed(connection, deleted)
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
            documents = queries.next_expired_uploads(connection, last, limit=MAX_DELETIONS)
        if not documents:
            return expired
        for user_id, of_user in itertools.groupby(documents, key=lambda row: row.user_id):
            with transaction(sessions) as connection:
                for document in of_user:
                    # The job first, as in all writes below it: two of them cannot deadlock.
                    LOCK_JOB.first(connection, user_id=user_id, job_id=document.application_id)
                    expired += queries.delete_expired_upload(connection, document)
        last = (documents[-1].user_id, documents[-1].id)


def sweep(sessions: sessionmaker[Session], bucket: Bucket) -> tuple[int, int]:
    """Delete unreferenced objects; one of concurrent sweeps does.

    :returns: the numbers of deleted and of not deleted objects
    :raises Unavailable: when S3 fails; the deletions stay queued
    """
    deleted = failed = 0
    last = (0, "")
    while True:
        with transaction(sessions) as connection:
            rows = queries.next_deletions(connection, last, limit=MAX_DELETIONS)
            if not rows:
                return deleted, failed
            done = _delete_objects(bucket, rows)
            queries.delete_completed(connection, done)
        deleted += len(done)
        failed += len(rows) - len(done)
        last = (rows[-1].user_id, rows[-1].object_key)
