"""``jobtracker after-restore production.ini``: to be run once after each restore of the database.

It invalidates what clients and servers may still know of the data that was lost: the ETags of all
users, the ids that were given since the backup, and, unless --keep-sessions is given, all access
tokens, since some may have been revoked. It can be interrupted and repeated, while servers run.
The runbook is docs/operations.md.
"""

from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from jobtracker.db import sequences
from jobtracker.db.checks import first_line
from jobtracker.users import queries as users
from jobtracker.users.resources import next_second


def after_restore(registry: Any, *, keep_sessions: bool = False) -> str | None:
    """Invalidate what is known of lost data; return an error message if that failed."""
    sessions = registry["db_sessions"]
    valid_from = None if keep_sessions else next_second(registry["cognito"].clock.latest())
    try:
        with sessions.begin() as session:
            sequences.advance(session)
        number = users.renew_revisions(sessions, valid_from)
    except (DBAPIError, psycopg.Error) as error:
        return f"jobtracker-after-restore: PostgreSQL: {first_line(error)}"
    print(f"users: {number}, signed out: {0 if keep_sessions else number}")  # noqa: T201 (output)
    return None
