"""Checks of what a pooler, such as PgBouncer or RDS Proxy, makes of sessions: docs/poolers.md."""

import contextlib
import logging
import re
import uuid
from collections.abc import Iterator
from typing import Any, cast

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from jobtracker.db.checks import first_line
from jobtracker.db.engine import TimeoutConnection, timeouts
from jobtracker.settings import InvalidSettings

log = logging.getLogger(__name__)

UTC = ("UTC", "Etc/UTC")
SESSION = text("SELECT name, setting FROM pg_settings WHERE name = ANY (:names)")
ROLE = text("SELECT quote_ident(current_user)")
PID = "SELECT pg_backend_pid()"
# How PgBouncer and RDS Proxy refuse the startup parameter "options".
REFUSAL = re.compile("startup parameter|command-line options")
# The statement is unknown to the session, or another one of it has the same name.
OTHER_STATEMENTS = (
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.DuplicatePreparedStatement,
    psycopg.errors.ProtocolViolation,
)

SEE = "see docs/poolers.md"
NO_STARTUP_PARAMETERS = f"a pooler does not pass on the time-outs: set it to role, {SEE}"
NOT_PREPARED = (
    "must be false: a pooler gives the transactions of a connection to several sessions, and does "
    f"not prepare the statements in all of them, {SEE}"
)
NO_SESSION = (
    "must be the URL of PostgreSQL itself: a pooler gives the transactions of a connection to "
    f"several sessions, {SEE}"
)


def check_pooler(engine: Engine, settings: dict[str, Any]) -> None:
    """Check that sessions have time-outs and UTC, and that statements can be prepared.

    A database that is not available is accepted: it can be later. No connection is left open.

    :raises InvalidSettings: otherwise
    """
    try:
        if problems := list(_session_problems(engine, settings)):
            raise InvalidSettings(*(("sqlalchemy.session_settings", each) for each in problems))
        if settings["sqlalchemy.prepare"] and not _prepares_in_all_sessions(engine):
            raise InvalidSettings(("sqlalchemy.prepare", NOT_PREPARED))
    except (DBAPIError, psycopg.Error) as error:
        if settings["sqlalchemy.session_settings"] == "connect" and REFUSAL.search(str(error)):
            raise InvalidSettings(("sqlalchemy.session_settings", NO_STARTUP_PARAMETERS)) from None
        log.warning("PostgreSQL: the session is not checked: %s", first_line(error))
    finally:
        engine.dispose()


def _session_problems(engine: Engine, settings: dict[str, Any]) -> Iterator[str]:
    names = [*timeouts(settings), "TimeZone", "client_encoding"]
    with engine.connect() as connection:
        rows = connection.execute(SESSION, {"names": names})
        values = {row.name: row.setting for row in rows}
        role = connection.execute(ROLE).scalar_one()
    wanted = {name: f"'{seconds}s'" for name, seconds in timeouts(settings).items()}
    wrong = {name: value for name, value in wanted.items() if values[name] == "0"}
    if values["TimeZone"] not in UTC:
        wrong["TimeZone"] = "'UTC'"
    if values["client_encoding"] != "UTF8":
        wrong["client_encoding"] = "'UTF8'"
    if wrong and settings["sqlalchemy.session_settings"] == "connect":
        yield NO_STARTUP_PARAMETERS
        return
    for name, value in wrong.items():
        remedy = f"ALTER ROLE {role} SET {name} = {value}"
        yield f"is role, but {name} is {values[name]}: {remedy}; or by the pooler, {SEE}"
    milliseconds, limit = int(values["statement_timeout"]), settings["sqlalchemy.statement_timeout"]
    if milliseconds > limit * 1000:
        log.warning(
            "PostgreSQL: statement_timeout is %s ms, more than sqlalchemy.statement_timeout: "
            "responses are 503 after that, and the statements continue",
            milliseconds,
        )


def check_sessions(engine: Engine) -> None:
    """Check that a connection keeps its session, with its settings and locks: for migrations.

    :raises InvalidSettings: otherwise
    """
    with _two_connections(engine) as (one, other):
        if not _keeps_session(one, other):
            raise InvalidSettings(("sqlalchemy.migrations_url", NO_SESSION))


def _prepares_in_all_sessions(engine: Engine) -> bool:
    """Whether a statement can be prepared on a connection, whatever its session is by then."""
    with _two_connections(engine) as (one, other):
        if _keeps_session(one, other):
            return True
        other.rollback()
        word = uuid.uuid4().hex
        query = f"SELECT '{word}'"
        try:
            with contextlib.closing(one.cursor()) as cursor:
                cursor.execute(query, prepare=True)
                one.commit()
                other.execute(PID)
                return cursor.execute(query, prepare=True).fetchone() == (word,)
        except OTHER_STATEMENTS:
            return False


def _keeps_session(one: TimeoutConnection, other: TimeoutConnection) -> bool:
    """Whether the first connection has the same session after its transaction.

    The transaction of the other, which is left open, takes it in a pooler that shares sessions. By
    default PgBouncer gives the session that was used last.
    """
    with contextlib.closing(one.cursor()) as cursor:
        before = cursor.execute(PID).fetchone()
        one.commit()
        # Poolers make the keys for the cancellation of statements themselves.
        if before == (one.info.backend_pid,):
            return True
        other.execute(PID)
        after = cursor.execute(PID).fetchone()
        one.commit()
    return before == after


@contextlib.contextmanager
def _two_connections(engine: Engine) -> Iterator[tuple[TimeoutConnection, TimeoutConnection]]:
    with engine.connect() as one, engine.connect() as other:
        drivers = (each.connection.dbapi_connection for each in (one, other))
        first, second = (cast(TimeoutConnection, each) for each in drivers)
        yield first, second
