"""The outbox of objects to delete.

A row in ``object_deletions`` is written in the transaction that makes an object superfluous, and
carried out after its commit. The sweeper repeats that until nothing can arrive there any more.
"""

import logging
from typing import NamedTuple

from pyramid.request import Request
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.documents.models import Document, ObjectDeletion
from jobtracker.documents.storage import MAX_DELETIONS, Bucket
from jobtracker.errors import Unavailable

log = logging.getLogger(__name__)


def process_deletions_after_commit(request: Request) -> None:
    """Delete the objects that the request's user no longer needs, once that is committed."""
    user_id = request.identity.id

    def process_deletions_if(committed: bool) -> None:
        if committed:
            try:
                process_deletions(request.registry["db_sessions"], request.bucket, user_id)
            except Unavailable:
                log.warning("Objects of user %s wait for their deletion", user_id)

    request.tm.get().addAfterCommitHook(process_deletions_if)


def process_deletions(sessions: sessionmaker[Session], bucket: Bucket, user_id: int) -> int:
    """Delete the objects of a user that wait for it, and return how many.

    :raises Unavailable: when S3 does not; nothing is forgotten then
    """
    with sessions.begin() as db:
        keys = ObjectDeletion.new_of_user(db, user_id, limit=MAX_DELETIONS)
        deleted = set(keys) - bucket.delete(keys) if keys else set()
        if deleted:
            ObjectDeletion.attempted(db, user_id, deleted)
    return len(deleted)


class SweepResult(NamedTuple):
    """What the sweeper did."""

    uploads_given_up: int
    deletions: int
    deletions_left: int


def sweep(sessions: sessionmaker[Session], bucket: Bucket) -> SweepResult:
    """Give up uploads that never came, and delete all objects that wait for it, of all users.

    It can run twice at once: what one is at, the other leaves alone.

    :raises Unavailable: when S3 does not; nothing is forgotten then
    """
    given_up = 0
    while True:
        with sessions.begin() as db:
            some = Document.delete_overdue(db, limit=MAX_DELETIONS)
        if not some:
            break
        given_up += some

    deleted, failed = 0, set[str]()
    last = (0, "")
    while True:
        with sessions.begin() as db:
            rows = ObjectDeletion.after(db, last, limit=MAX_DELETIONS)
            if not rows:
                break
            not_deleted = bucket.delete([key for _, key, _ in rows])
            gone = [row for row in rows if row[1] not in not_deleted]
            ObjectDeletion.done(db, [(user, key) for user, key, is_last in gone if is_last])
        deleted += len(gone)
        failed |= not_deleted
        last = rows[-1][0], rows[-1][1]
    return SweepResult(given_up, deleted, len(failed))
