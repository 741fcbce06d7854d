"""Invalidate what clients and servers know of data that a restore has lost: once after each."""

import argparse
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from jobtracker.commands import ini
from jobtracker.db import sequences
from jobtracker.db.checks import first_line
from jobtracker.users import queries as users
from jobtracker.users.resources import next_second

PARSER = ini.parser()
PARSER.add_argument(
    "--keep-sessions",
    action="store_true",
    help="do not sign out the users: where no revocation of tokens can have been lost",
)


def run(arguments: argparse.Namespace) -> str | None:
    with ini.application(arguments.ini, "after-restore") as registry:
        return after_restore(registry, keep_sessions=arguments.keep_sessions)


def after_restore(registry: Any, *, keep_sessions: bool = False) -> str | None:
    """Invalidate the ETags of all users, the ids that were given since the backup, and all access
    tokens, since some may have been revoked; return an error message if that failed.

    It can be interrupted and repeated, while servers run. The runbook is docs/operations.md.
    """
    sessions = registry["db_sessions"]
    valid_from = None if keep_sessions else next_second(registry["cognito"].clock.latest())
    try:
        with sessions.begin() as session:
            sequences.advance(session)
        number = users.renew_revisions(sessions, valid_from)
    except (DBAPIError, psycopg.Error) as error:
        return f"jobtracker-after-restore: PostgreSQL: {first_line(error)}"
    print(f"users: {number}, signed out: {0 if keep_sessions else number}")
    return None
