"""Checks of the database at the start of a server: its schema, and what it was created with."""

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from jobtracker.data import DATA
from jobtracker.db.base import Base

log = logging.getLogger(__name__)

MIN_VERSION = 15  # of PostgreSQL
HAS_VERSIONS = text("SELECT to_regclass('alembic_version') IS NOT NULL")
VERSIONS = text("SELECT version_num FROM alembic_version")
COLUMNS = text("""
    SELECT relname || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE pg_table_is_visible(pg_class.oid) AND relnamespace <> 'pg_catalog'::regnamespace
        AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
""")
# Of a database whose revision is not among the migrations.
BEGIN_ANEW = (
    "it is of a newer version, or of a development version whose databases are not migrated: "
    "then begin with an empty one (the local stack: remove the folder var)"
)
PROPERTIES = text(
    "SELECT current_setting('server_version_num')::int / 10000, getdatabaseencoding(),"
    " lower('\u00c4') = '\u00e4'"
)


class Migrations(NamedTuple):
    """The revisions of the migrations of this program."""

    known: frozenset[str]
    heads: frozenset[str]

    @classmethod
    def of(cls, ini: str) -> "Migrations | None":
        """Those of an ini file; None, which is logged, where there are none."""
        try:
            scripts = ScriptDirectory.from_config(alembic_config(ini))
            known = frozenset(script.revision for script in scripts.walk_revisions())
            return cls(known, frozenset(scripts.get_heads()))
        except CommandError as error:
            log.warning("The schema is not checked: %s", error)
            return None


def alembic_config(ini: str, **options: Any) -> Config:
    """Alembic's configuration of an ini file; the migrations are those of this package where it
    names none."""
    config = Config(ini, **options)
    if not config.get_section(config.config_ini_section, {}).get("script_location"):
        config.set_main_option("script_location", str(DATA / "migrations").replace("%", "%%"))
    return config


def missing_columns(columns: set[str]) -> set[str]:
    """The columns that this program knows, without those of the database."""
    tables = Base.metadata.tables.values()
    return {f"{table.name}.{column.name}" for table in tables for column in table.columns} - columns


def check_database(engine: Engine, ini: str) -> None:
    """:func:`check_schema`, but a database that is not available is accepted: it can be later."""
    try:
        check_schema(engine, ini)
    except DBAPIError as error:
        log.warning("PostgreSQL: the schema is not checked: %s", first_line(error))


def check_schema(engine: Engine, ini: str) -> None:
    """Check that the database is migrated, and log what is wrong with it otherwise.

    A schema that is newer than this program is accepted, as during a deployment, if it has all
    columns that this program knows. No connection is left open.

    :param ini: the ini file, which has the section of Alembic
    :raises SystemExit: when the schema is missing, older than the migrations, or another one
    :raises DBAPIError: when it cannot be read
    """
    try:
        with engine.connect() as connection:
            for problem in unsuitable_properties(connection):
                log.warning("PostgreSQL: %s", problem)
            is_migrated = connection.execute(HAS_VERSIONS).scalar_one()
            revisions = set(connection.execute(VERSIONS).scalars()) if is_migrated else set()
            columns = set(connection.execute(COLUMNS).scalars())
    finally:
        engine.dispose()
    if (migrations := Migrations.of(ini)) is None:
        return
    known, heads = migrations
    hint = f"run jobtracker migrate {ini}"
    current = ", ".join(sorted(revisions))
    if not revisions:
        raise SystemExit(f"The database has no schema: {hint}")
    if revisions != heads and revisions <= known:
        raise SystemExit(f"The schema of the database is older, at revision {current}: {hint}")
    # With an unknown revision it can be newer, or of an earlier checkout.
    missing = missing_columns(columns)
    if missing:
        raise SystemExit(
            f"The schema of the database, at revision {current}, lacks {min(missing)}: {BEGIN_ANEW}"
        )
    if revisions != heads:
        log.warning("The schema of the database is newer, at revision %s", current)


def unsuitable_properties(connection: Connection) -> Iterator[str]:
    """What the server and the database cannot change any more, as far as it is unsuitable."""
    version, encoding, folds_all_letters = connection.execute(PROPERTIES).one()
    if version < MIN_VERSION:
        yield f"version {version} is not supported, {MIN_VERSION} or later is required"
    if encoding != "UTF8":
        yield f"the encoding of the database is {encoding}, UTF8 is required"
    elif not folds_all_letters:
        yield (
            "the locale of the database is C: searches are case-insensitive for ASCII only. "
            "Create it with another one, C.UTF-8 for example"
        )


def first_line(error: Exception) -> str:
    """The first line of an error of PostgreSQL or psycopg; it contains no password."""
    cause = getattr(error, "orig", None) or error
    name = type(cause).__name__ if isinstance(cause, psycopg.Error) else "error"
    return f"{name}: {cause}".splitlines()[0]
