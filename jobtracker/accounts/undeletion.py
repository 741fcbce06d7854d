"""The undo of a deletion within the grace days."""

import datetime
import time
from typing import Any

from jobtracker.accounts import queries
from jobtracker.audit.models import AuditKind
from jobtracker.db.connections import transaction
from jobtracker.errors import Conflict, NotFound
from jobtracker.tasks import queries as tasks
from jobtracker.users import deletion_queries
from jobtracker.users.resources import DELETE_ACCOUNT, next_second


def undelete(registry: Any, email: str) -> int:
    """Undo the deletion of the account of an address, so that its user can sign in again, and
    return the user's id. Tokens of before stay revoked.

    :raises NotFound: if no deletion is requested of an account of that address
    :raises Conflict: if it has begun, or Cognito has no such account
    :raises Unavailable: if Cognito fails; nothing is undone
    """
    clock = registry["cognito"].clock
    valid_from = next_second(clock.latest())
    user_id = _undelete(registry, email, valid_from)
    # A sign-in that follows is not before it: the times in tokens are whole seconds.
    time.sleep(max(0, valid_from.timestamp() - clock.earliest()))
    return user_id


def _undelete(registry: Any, email: str, valid_from: datetime.datetime) -> int:
    with transaction(registry["db_sessions"]) as connection:
        for requested in deletion_queries.find_requested(connection, email):
            user = deletion_queries.lock(connection, requested.id)
            if user is None or user.deletion_requested_at is None:
                continue
            if not tasks.cancel(connection, user.id, DELETE_ACCOUNT):
                raise Conflict("The deletion has begun: it cannot be undone any more.")
            deletion_queries.undo(connection, user.id, valid_from)
            queries.record(connection, user.id, AuditKind.ACCOUNT_DELETION_UNDONE)
            # At last: if the commit fails, a repetition does all of this again.
            if not registry["cognito_admin"].enable_user(user.cognito_sub):
                raise Conflict("Cognito has deleted the account: it cannot be undone any more.")
            return user.id
    raise NotFound("deleted account")
