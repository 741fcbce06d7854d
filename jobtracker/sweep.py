"""``jobtracker-sweep production.ini``: periodic cleanup, to be run every ten minutes.

It deletes pending documents whose upload has expired, objects in S3 that no row refers to, expired
idempotency records and counts of rate limits, and revocations of sessions all of whose access
tokens have expired, and reads the results of malware scans. Concurrent runs are safe, and so is an
interruption.
"""

import argparse
import sys
from typing import Any

import psycopg
from pyramid.paster import bootstrap, setup_logging
from sqlalchemy.exc import DBAPIError

from jobtracker.auth import queries as auth
from jobtracker.documents import malware_scans, object_deletions
from jobtracker.errors import Unavailable
from jobtracker.http import idempotency
from jobtracker.http.rate_limits import postgres as rate_limits
from jobtracker.users import queries as users


def main() -> None:
    """The console command; its exit status is 1 if a part of the cleanup failed."""
    summary = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="jobtracker-sweep", description=summary)
    parser.add_argument("ini", help="the settings, as for pserve: production.ini")
    ini = parser.parse_args().ini
    setup_logging(ini)
    with bootstrap(ini, options={"__script__": "jobtracker-sweep"}) as env:
        sys.exit(sweep(env["registry"]))


def sweep(registry: Any) -> str | None:
    """Clean up and print the counts; return an error message if a part failed."""
    sessions = registry["db_sessions"]
    try:
        rate_limits.EXPIRED.delete(sessions)
        auth.EXPIRED.delete(sessions)
        users.EXPIRED_REVOCATIONS.delete(sessions)
        answers = idempotency.EXPIRED.delete(sessions)
        expired, deleted, failed = object_deletions.sweep(sessions, registry["bucket"])
        scanned, waiting = malware_scans.sweep(sessions, registry["bucket"])
    except Unavailable:
        return "jobtracker-sweep: S3 does not answer; all that is left waits for the next time"
    except (DBAPIError, psycopg.Error) as error:
        cause = getattr(error, "orig", error)
        return f"jobtracker-sweep: PostgreSQL: {type(cause).__name__}; nothing is lost"
    print(  # noqa: T201 (the command's output)
        f"uploads given up: {expired}, deletions carried out: {deleted}, "
        f"answers forgotten: {answers}, malware scans: {scanned} done, {waiting} waiting"
    )
    return f"jobtracker-sweep: S3 would not delete {failed} objects" if failed else None
