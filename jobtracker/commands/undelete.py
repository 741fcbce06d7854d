"""Undo the deletion of an account, within the days of accounts.grace_days.

Its user can sign in again, with everything in it. Tokens of before stay revoked.
"""

import argparse

import psycopg
from sqlalchemy.exc import DBAPIError

from jobtracker.accounts.undeletion import undelete
from jobtracker.commands import ini
from jobtracker.db.checks import first_line
from jobtracker.errors import ApiError

PARSER = ini.parser()
PARSER.add_argument("--user", metavar="ADDRESS", required=True, help="the e-mail address")


def run(arguments: argparse.Namespace) -> str | None:
    with ini.application(arguments.ini, "undelete") as registry:
        try:
            user_id = undelete(registry, arguments.user.strip().lower())
        except ApiError as error:
            return f"jobtracker undelete: {error.message}"
        except (DBAPIError, psycopg.Error) as error:
            return f"jobtracker undelete: PostgreSQL: {first_line(error)}"
    print(f"The deletion of user {user_id} is undone.")
    return None
