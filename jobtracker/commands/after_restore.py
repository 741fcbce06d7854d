"""Invalidate what clients and servers know of data that a restore has lost: once after each."""

import argparse

from jobtracker.after_restore import after_restore
from jobtracker.commands import ini

PARSER = ini.parser()
PARSER.add_argument(
    "--keep-sessions",
    action="store_true",
    help="do not sign out the users: where no revocation of tokens can have been lost",
)


def run(arguments: argparse.Namespace) -> str | None:
    with ini.application(arguments.ini, "after-restore") as registry:
        return after_restore(registry, keep_sessions=arguments.keep_sessions)
