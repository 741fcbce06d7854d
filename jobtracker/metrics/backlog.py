"""The rows that wait for the sweeper or a worker, counted by a server: so they are known where none
runs.

Each count is of an index, and ends at MAX_ROWS.
"""

import datetime
from collections.abc import Mapping
from typing import Any

from jobtracker.activity import queries as activity
from jobtracker.auth import queries as auth
from jobtracker.db.connections import SupportsExecute
from jobtracker.documents import object_deletion_queries
from jobtracker.documents import queries as documents
from jobtracker.exports import queries as exports
from jobtracker.http import idempotency
from jobtracker.http.rate_limits import postgres as rate_limits
from jobtracker.tasks import queries as tasks
from jobtracker.trash import purge_queries
from jobtracker.users import queries as users

MAX_ROWS = 10_000

_EXPIRED = {
    "idempotency_keys": idempotency.EXPIRED,
    "rate_limits": rate_limits.EXPIRED,
    "sign_in_networks": auth.EXPIRED,
    "revocations": users.EXPIRED_REVOCATIONS,
    "finished_tasks": tasks.EXPIRED,
    "exports": exports.EXPIRED,
}


def read_backlog(connection: SupportsExecute, settings: Mapping[str, Any]) -> dict[str, int]:
    """The numbers of rows, MAX_ROWS at most, by the part of the sweeper."""
    counts = {part: rows.count(connection, MAX_ROWS) for part, rows in _EXPIRED.items()}
    if (days := settings["activity.days"]) is not None:
        period = datetime.timedelta(days=days)
        counts["activity"] = activity.EXPIRED.count(connection, MAX_ROWS, period=period)
    period = datetime.timedelta(days=settings["trash.days"])
    counts["trash"] = purge_queries.count_backlog(connection, period, MAX_ROWS)
    counts["tasks"] = tasks.count_due(connection, MAX_ROWS)
    counts["object_deletions"] = object_deletion_queries.count(connection, MAX_ROWS)
    return {**counts, **documents.count_backlog(connection, MAX_ROWS)}
