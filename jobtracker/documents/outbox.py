"""The outbox of objects to delete.

A row in ``object_deletions`` is written in the transaction that makes an object superfluous, and
carried out after its commit. What then fails stays in the table for the next time.
"""

import logging

from pyramid.request import Request
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.documents.models import ObjectDeletion
from jobtracker.documents.storage import MAX_DELETIONS, Bucket
from jobtracker.errors import Unavailable

log = logging.getLogger(__name__)


def carry_out_after_commit(request: Request) -> None:
    """Delete the objects that the request's user no longer needs, once that is committed."""
    user_id = request.identity.id

    def carry_out_if(committed: bool) -> None:
        if committed:
            try:
                carry_out(request.registry["db_sessions"], request.bucket, user_id)
            except Unavailable:
                log.warning("Objects of user %s wait for their deletion", user_id)

    request.tm.get().addAfterCommitHook(carry_out_if)


def carry_out(sessions: sessionmaker[Session], bucket: Bucket, user_id: int) -> int:
    """Delete the objects of a user that wait for it, and return how many.

    :raises Unavailable: when S3 does not; nothing is forgotten then
    """
    with sessions.begin() as db:
        keys = ObjectDeletion.some_of_user(db, user_id, limit=MAX_DELETIONS)
        deleted = set(keys) - bucket.delete(keys) if keys else set()
        if deleted:
            ObjectDeletion.done(db, user_id, deleted)
    return len(deleted)
