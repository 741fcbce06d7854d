"""Migrate the database to the newest schema, or to a later revision: alembic upgrade.

The URL is sqlalchemy.migrations_url, or else sqlalchemy.url; the role owns the tables.
"""

import argparse
import logging

from alembic import command
from alembic.util import CommandError

from jobtracker.commands import ini
from jobtracker.db.checks import alembic_config

PARSER = ini.parser()
PARSER.add_argument("revision", nargs="?", default="head", help="default: head")
PARSER.add_argument(
    "-x", action="append", metavar="NAME=VALUE", help="an option of migrations: pause=4"
)


def run(arguments: argparse.Namespace) -> str | None:
    path = arguments.ini.partition("#")[0]
    loader = ini.load(arguments.ini)
    ini.set_up_logging(path, loader)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    with ini.errors_of(path, "[alembic]"):
        config = alembic_config(path, cmd_opts=argparse.Namespace(x=arguments.x))
    try:
        command.upgrade(config, arguments.revision)
    except CommandError as error:
        return f"jobtracker migrate: {error}"
    return None
