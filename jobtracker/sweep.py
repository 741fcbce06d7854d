"""Periodic cleanup: ``jobtracker sweep production.ini`` every ten minutes, or ``jobtracker work``;
the former also runs the tasks that are due.

It puts jobs whose retention is over into the trash, moves the words of notes of jobs in the trash
out of the way of searches, deletes what has been in the trash for long, exports that have expired,
files that were not imported in time, pending documents whose upload has expired, objects in S3 that
no row refers to, expired idempotency records and counts of rate limits, expired activity and audit
entries, finished tasks, and revocations of sessions all of whose access tokens have expired, and
reads the results of malware scans. A part that fails stops none of the others.
Concurrent runs are safe, and so is an interruption.
"""

import datetime
import functools
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from jobtracker.activity import queries as activity
from jobtracker.audit import queries as audit
from jobtracker.auth import queries as auth
from jobtracker.db import connections
from jobtracker.db.engine import make_engine, transaction_settings
from jobtracker.documents import malware_scans, object_deletions
from jobtracker.errors import DATABASE_ERRORS, Unavailable
from jobtracker.exports import queries as exports
from jobtracker.http import idempotency
from jobtracker.http.rate_limits import postgres as rate_limits
from jobtracker.imports import queries as imports
from jobtracker.retention import queries as retention
from jobtracker.search import trash_queries as trashed_words
from jobtracker.tasks import queries as tasks
from jobtracker.tasks.runner import Outcome, Runner
from jobtracker.trash.purging import purge_expired
from jobtracker.users import deletion_queries
from jobtracker.users import queries as users

log = logging.getLogger(__name__)


def make_sessions(settings: dict[str, Any]) -> sessionmaker[Session]:
    """Sessions whose statements have the time of ``sweeper.statement_timeout``."""
    seconds = settings["sweeper.statement_timeout"]
    engine = make_engine({**settings, "sqlalchemy.statement_timeout": seconds})
    # In each transaction: behind a pooler, the role can have another time-out.
    own = {"statement_timeout": f"{seconds}s", **transaction_settings(settings)}
    return connections.make_sessions(engine, own)


def sweep(registry: Any) -> str | None:
    """Clean up, run the tasks that are due, and print the counts; return a line for each kind of
    error."""
    counts, errors = clean_up(registry, registry["db_sessions"])
    outcomes, errors_of_tasks = _run_tasks(registry)
    print(f"{counts}, tasks done: {outcomes[Outcome.DONE]}")  # noqa: T201 (the command's output)
    errors = [*dict.fromkeys(errors + errors_of_tasks)]
    return "\n".join(f"jobtracker-sweep: {error}" for error in errors) or None


def _run_tasks(registry: Any) -> tuple[Counter[Outcome], list[str]]:
    try:
        outcomes = Runner(registry, registry["db_sessions"]).run_due()
    except DATABASE_ERRORS as error:
        return Counter(), [_describe(error)]
    lines = {
        Outcome.POSTPONED: "are tried again later; the log has the reasons",
        Outcome.FAILED: "have failed; the log has the reasons",
    }
    return outcomes, [
        f"{outcomes[each]} tasks {line}" for each, line in lines.items() if outcomes[each]
    ]


def _describe(error: Exception) -> str:
    return f"PostgreSQL: {type(getattr(error, 'orig', error)).__name__}; nothing is lost"


def clean_up(registry: Any, sessions: sessionmaker[Session]) -> tuple[str, list[str]]:
    """Clean up; return the counts, and each kind of error."""
    bucket = registry["bucket"]
    errors: dict[str, None] = {}

    def run(part: Callable[[], Any], failed: Any = 0) -> Any:
        try:
            return part()
        except Unavailable:
            errors["S3 does not answer; all that is left waits for the next time"] = None
        except DATABASE_ERRORS as error:
            errors[_describe(error)] = None
        except Exception as error:
            log.exception("A part of the cleanup failed")
            errors[f"{type(error).__name__}: the log has the details"] = None
        return failed

    for module in (rate_limits, auth, deletion_queries, tasks, exports, imports):
        run(functools.partial(module.EXPIRED.delete, sessions))
    run(functools.partial(users.EXPIRED_REVOCATIONS.delete, sessions))
    answers = run(lambda: idempotency.EXPIRED.delete(sessions))
    period = datetime.timedelta(days=registry.settings["audit.days"])
    for rows in audit.EXPIRED:
        run(functools.partial(rows.delete, sessions, period=period))
    events = run(lambda: _delete_activity(sessions, registry.settings["activity.days"]))
    period = datetime.timedelta(days=registry.settings["trash.days"])
    purged = run(functools.partial(purge_expired, sessions, period))
    retained = run(lambda: retention.sweep(sessions))
    words = run(lambda: trashed_words.sweep(sessions))
    expired = run(lambda: object_deletions.delete_expired_uploads(sessions))
    deleted, refused = run(lambda: object_deletions.sweep(sessions, bucket), (0, 0))
    scanned, waiting = run(lambda: malware_scans.sweep(sessions, bucket), (0, 0))
    counts = (
        f"uploads given up: {expired}, deletions carried out: {deleted}, "
        f"answers forgotten: {answers}, activity deleted: {events}, "
        f"purged from the trash: {purged}, "
        f"jobs put into the trash: {retained}, "
        f"rows of words put away: {words}, "
        f"malware scans: {scanned} done, {waiting} waiting"
    )
    if refused:
        errors[f"S3 would not delete {refused} objects"] = None
    return counts, list(errors)


def _delete_activity(sessions: sessionmaker[Session], days: int | None) -> int:
    """Delete the activity that is older than some days, if it is not kept for ever."""
    if days is None:
        return 0
    return activity.EXPIRED.delete(sessions, period=datetime.timedelta(days=days))
