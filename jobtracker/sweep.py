"""``jobtracker-sweep production.ini``: what no request is there for. Run it every ten minutes.

It gives up uploads that never came, deletes objects from the bucket that no row needs any more,
and forgets answers that will not be given again. It can be run at any time, also twice at once, and
stops without harm at any moment.
"""

import argparse
import sys
from typing import Any

from pyramid.paster import bootstrap, setup_logging
from sqlalchemy.exc import DBAPIError

from jobtracker.db.connections import transaction
from jobtracker.documents import outbox
from jobtracker.errors import Unavailable
from jobtracker.http import idempotency


def main() -> None:
    """The console command. It ends with status 1 when something has to wait for the next time."""
    parser = argparse.ArgumentParser(
        prog="jobtracker-sweep", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("ini", help="the settings, as for pserve: production.ini")
    ini = parser.parse_args().ini
    setup_logging(ini)
    with bootstrap(ini, options={"__script__": "jobtracker-sweep"}) as env:
        sys.exit(sweep(env["registry"]))


def sweep(registry: Any) -> str | None:
    """Sweep, and say what was done. Returns what could not be, if anything."""
    sessions = registry["db_sessions"]
    try:
        with transaction(sessions) as connection:
            answers = idempotency.delete_expired(connection)
        swept = outbox.sweep(sessions, registry["bucket"])
    except Unavailable:
        return "jobtracker-sweep: S3 does not answer; all that is left waits for the next time"
    except DBAPIError as error:
        return f"jobtracker-sweep: PostgreSQL: {type(error.orig).__name__}; nothing is lost"
    print(  # noqa: T201 (a command's answer)
        f"uploads given up: {swept.expired_uploads}, deletions carried out: {swept.deletions}, "
        f"answers forgotten: {answers}"
    )
    if swept.failed_deletions:
        return f"jobtracker-sweep: S3 would not delete {swept.failed_deletions} objects"
    return None
