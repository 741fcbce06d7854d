"""PostgreSQL: the server, the database, the role, the session settings and the schema."""

import functools
import importlib
import importlib.util
import pkgutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import psycopg
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from jobtracker.commands.checks import Result, clocks, error, ok, warning
from jobtracker.data import DATA
from jobtracker.db.checks import MIN_VERSION, PROPERTIES, check_schema, first_line
from jobtracker.db.engine import make_engine, make_migrations_engine, timeouts
from jobtracker.db.poolers import check_pooler, check_sessions
from jobtracker.db.privileges import privileges
from jobtracker.settings import InvalidSettings

URL = "sqlalchemy.url"
REPLICA_URL = "sqlalchemy.reading_url"
MIGRATIONS_URL = "sqlalchemy.migrations_url"
ERRORS = (DBAPIError, psycopg.Error)
NOW = text("SELECT extract(epoch FROM clock_timestamp())")
IDENTITY = text("SELECT pg_is_in_recovery(), current_database()")


def check_primary(ini: str) -> Callable[[Mapping[str, Any]], Iterator[Result]]:
    """The checks of the database of an ini file, which names the migrations."""

    def check(settings: Mapping[str, Any]) -> Iterator[Result]:
        import_models()
        engine = make_engine(dict(settings))
        if (yield from _connected("PostgreSQL", URL, engine, _primary)):
            yield from _sessions("PostgreSQL", engine, settings)
            yield from _schema(engine, ini)
            yield from _migrations(settings)

    return check


def import_models() -> None:
    """Import all models: privileges and columns are checked of the tables that are imported."""
    for package in pkgutil.iter_modules([str(DATA.parent)], "jobtracker."):
        if package.ispkg and importlib.util.find_spec(f"{package.name}.models"):
            importlib.import_module(f"{package.name}.models")


def check_replica(settings: Mapping[str, Any]) -> Iterator[Result]:
    """The checks of the replica, if there is one."""
    engine = make_engine({**settings, URL: settings[REPLICA_URL]})
    check = functools.partial(_replica, settings)
    if (yield from _connected("Replica", REPLICA_URL, engine, check)):
        yield from _sessions("Replica", engine, settings)


def _connected(
    name: str, setting: str, engine: Engine, check: Callable[[Connection], Iterator[Result]]
) -> Generator[Result, None, bool]:
    """The checks on a connection; return whether it worked."""
    try:
        with engine.connect() as connection:
            yield ok(f"{name}: connection", setting, _address(connection))
            yield from check(connection)
    except ERRORS as problem:
        yield error(f"{name}: connection", setting, first_line(problem))
        return False
    finally:
        engine.dispose()
    return True


def _primary(connection: Connection) -> Iterator[Result]:
    yield from _properties(connection)
    yield from _role(connection)
    yield _clock(connection)


def _replica(settings: Mapping[str, Any], connection: Connection) -> Iterator[Result]:
    is_standby, database = connection.execute(IDENTITY).one()
    if not is_standby:
        yield error("Replica", REPLICA_URL, "is no standby: it is not used")
    if database != _database(settings):
        yield error("Replica", REPLICA_URL, f"is another database: {database}")


def _database(settings: Mapping[str, Any]) -> str:
    engine = make_engine(dict(settings))
    try:
        with engine.connect() as connection:
            return str(connection.execute(text("SELECT current_database()")).scalar_one())
    finally:
        engine.dispose()


def _address(connection: Connection) -> str:
    info = connection.connection.dbapi_connection.info  # type: ignore[union-attr]
    return f"{info.user} at {info.host}, database {info.dbname}"


def _properties(connection: Connection) -> Iterator[Result]:
    version, encoding, folds_all_letters = connection.execute(PROPERTIES).one()
    subject = "PostgreSQL: version"
    if version < MIN_VERSION:
        yield error(subject, URL, f"{version} is not supported, {MIN_VERSION} or later is required")
    else:
        yield ok(subject, URL, str(version))
    if encoding != "UTF8":
        yield error("PostgreSQL: encoding", URL, f"is {encoding}, UTF8 is required")
    else:
        yield ok("PostgreSQL: encoding", URL, encoding)
        if folds_all_letters:
            yield ok("PostgreSQL: locale", URL)
        else:
            hint = "searches are case-insensitive for ASCII only; C.UTF-8, for example, is suitable"
            yield error("PostgreSQL: locale", URL, f"is C: {hint}")


def _clock(connection: Connection) -> Result:
    sent_at = time.time()
    theirs = float(connection.execute(NOW).scalar_one())
    ahead = max(theirs - time.time(), 0) or min(theirs - sent_at, 0)
    return clocks.compare("PostgreSQL", URL, ahead)


def _role(connection: Connection) -> Iterator[Result]:
    role = privileges(connection)
    subject = "PostgreSQL: role"
    if not role.has_schema:
        yield error(subject, URL, f"{role.role} has no USAGE on the schema: deploy/database.sql")
    elif role.is_read_only:
        yield error(subject, URL, "is read-only: the server is a standby, or so configured")
    elif role.missing:
        table, missing = next(iter(role.missing.items()))
        others = f", and privileges on {len(role.missing) - 1} more tables"
        lacks = f"{role.role} lacks {', '.join(missing)} on {table}"
        yield error(subject, URL, lacks + (others if len(role.missing) > 1 else ""))
    elif role.is_superuser:
        yield warning(
            subject, URL, f"{role.role} is a superuser: deploy/database.sql makes two roles"
        )
    elif role.owns_tables:
        hint = "a server needs no more than the rows: deploy/database.sql makes two roles"
        yield warning(subject, URL, f"{role.role} owns the tables; {hint}")
    else:
        yield ok(subject, URL, f"{role.role} can read and write the rows, and no more")


def _sessions(name: str, engine: Engine, settings: Mapping[str, Any]) -> Iterator[Result]:
    subjects = {
        "sqlalchemy.session_settings": f"{name}: session settings",
        "sqlalchemy.prepare": f"{name}: prepared statements",
    }
    wrong: dict[str, str] = {}
    try:
        check_pooler(engine, dict(settings))
    except InvalidSettings as invalid:
        for setting, reason in invalid.problems:
            wrong[setting] = f"{wrong[setting]}; {reason}" if setting in wrong else reason
    for setting, subject in subjects.items():
        if setting in wrong:
            yield error(subject, setting, wrong[setting])
            return  # what follows was not checked
        if setting == "sqlalchemy.prepare":
            yield ok(subject, setting, "" if settings[setting] else "none")
        else:
            values = ", ".join(
                f"{name} {value} s" for name, value in timeouts(dict(settings)).items()
            )
            yield ok(subject, setting, values)


def _schema(engine: Engine, ini: str) -> Iterator[Result]:
    try:
        check_schema(engine, ini)
    except SystemExit as problem:
        yield error("PostgreSQL: schema", URL, str(problem))
    except ERRORS as problem:
        # The privileges are a check of their own.
        if not isinstance(getattr(problem, "orig", None), InsufficientPrivilege):
            yield error("PostgreSQL: schema", URL, first_line(problem))
    else:
        yield ok("PostgreSQL: schema", URL, "is migrated")


def _migrations(settings: Mapping[str, Any]) -> Iterator[Result]:
    """Migrations can have a URL of their own, or in another environment another password."""
    subject = "PostgreSQL: migrations"
    setting = URL if settings[MIGRATIONS_URL] is None else MIGRATIONS_URL
    problem = error if settings[MIGRATIONS_URL] is not None else warning
    engine = make_migrations_engine(dict(settings))
    try:
        check_sessions(engine)
        with engine.connect() as connection:
            role = privileges(connection)
    except InvalidSettings as invalid:
        yield from (problem(subject, *each) for each in invalid.problems)
    except ERRORS as failure:
        yield problem(subject, setting, first_line(failure))
    else:
        if setting == MIGRATIONS_URL and not (role.owns_tables or role.is_superuser):
            yield error(subject, setting, f"{role.role} does not own the tables")
        else:
            yield ok(subject, setting, "connections keep their sessions")
    finally:
        engine.dispose()
