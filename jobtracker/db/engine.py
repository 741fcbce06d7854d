"""Engines: connection pools whose connections time out on the client's side as well."""

import functools
import math
import select
import time
from collections.abc import Mapping
from typing import Any, cast

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.json import JsonDumper, set_json_dumps, set_json_loads
from pyramid_retry import mark_error_retryable
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DisconnectionError

from jobtracker.environment import read_again
from jobtracker.quotas import ACTIVITY_PER_JOB
from jobtracker.renderer import json_dumps
from jobtracker.settings import SETTINGS

# Seconds that PostgreSQL has beyond statement_timeout to report the time-out itself.
GRACE = 0.5

# Parameters of libpq, unless the URL has others: a statement to a host that is gone fails before
# response_timeout, as on a lost connection, and can be tried again; idle connections are probed.
TCP_PARAMETERS = {"tcp_user_timeout": 1500, "keepalives_idle": 30, "keepalives_interval": 5}

# The time-outs of PostgreSQL, all of which sessions have.
TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

# The quotas of the triggers that insert activity and steps.
QUOTAS_OF_TRIGGERS = (ACTIVITY_PER_JOB, "history_per_job")

# Cursors kept by a connection, each with the last row that it read.
MAX_CURSORS = 100

set_json_loads(orjson.loads)
set_json_dumps(json_dumps)
psycopg.adapters.register_dumper(dict, JsonDumper)

# PostgreSQL aborted the transaction in favour of a concurrent one.
CONCURRENCY_ERRORS = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


class ResponseTimeout(psycopg.OperationalError):
    """PostgreSQL neither answered nor reported a time-out: the network or its host stalls."""


class ConnectionLost(psycopg.OperationalError):
    """The connection was closed before the statement was executed."""


class PoolInvalidation:
    """The time of the last invalidation of a server's pools: connections made before it are not
    used again."""

    invalidated_at = -math.inf

    def invalidate_older(self) -> None:
        """Invalidate all connections that exist now: where one was closed, all were."""
        self.invalidated_at = time.monotonic()


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that times out on the client's side too: when the network does not work."""

    #: Seconds that a statement can take; None for no limit.
    response_timeout: float | None = None
    #: ``time.monotonic()`` when it was made, and when it was returned to its pool.
    connected_at: float
    idle_since: float = -math.inf
    #: Whether a pooler can give the session to others after each transaction.
    is_pooled: bool = False
    invalidation: PoolInvalidation

    @functools.cached_property
    def _cursors(self) -> dict[tuple[Any, bool], psycopg.Cursor[Any]]:
        return {}

    def cached_cursor(self, query: Any, *, binary: bool) -> psycopg.Cursor[Any]:
        """The cursor that ran this query before: its row loaders are set up already."""
        cursor = self._cursors.get((query, binary))
        if cursor is None or cursor.closed or type(cursor) is not self.cursor_factory:
            if len(self._cursors) >= MAX_CURSORS:
                self._cursors.clear()
            cursor = self._cursors[query, binary] = self.cursor(binary=binary)
        return cursor

    def run(
        self, query: Any, params: Mapping[str, Any] | None, *, binary: bool, repeatable: bool
    ) -> psycopg.Cursor[Any]:
        """Execute a statement. Errors are marked as retryable if they are deadlocks, serialization
        failures or, if ``repeatable`` (nothing is committed then), a lost connection."""
        try:
            return self.cached_cursor(query, binary=binary).execute(query, params)
        except psycopg.Error as error:
            if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                self.close()  # the primary became a standby: a new connection finds the new one
                self.invalidation.invalidate_older()
            if self.closed and isinstance(error, psycopg.InternalError):
                # psycopg's, for two results of BEGIN: a pooler reports that the session has ended,
                # and then closes the connection.
                error = ConnectionLost(str(error))
            lost = self.closed and isinstance(error, psycopg.OperationalError)
            if isinstance(error, CONCURRENCY_ERRORS) or (
                lost and repeatable and not isinstance(error, ResponseTimeout)
            ):
                mark_error_retryable(error)
            raise error

    @property
    def is_valid(self) -> bool:
        """Whether neither it nor its pool was invalidated."""
        return not self.closed and self.connected_at >= self.invalidation.invalidated_at

    def has_pending_input(self) -> bool:
        """Whether PostgreSQL has sent an unsolicited message, usually its termination."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, timeout=timeout or self.response_timeout)
        except psycopg.Error as error:
            is_timeout = (  # not one that PostgreSQL reports
                isinstance(error, psycopg.OperationalError)
                and not self.closed
                and self.info.transaction_status is TransactionStatus.ACTIVE
            )
            if is_timeout:
                self.close()
            if self.closed:
                self.invalidation.invalidate_older()
            if is_timeout:
                raise ResponseTimeout("no answer in time") from error
            raise


def make_engine(
    settings: dict[str, Any],
    *,
    autocommit: bool = False,
    invalidation: PoolInvalidation | None = None,
) -> Engine:
    """A connection pool, which connects on first use and whose every operation times out.

    After a failure to connect the URL is read anew: docs/operations.md.

    :param invalidation: that of other pools of the same server
    """
    pool = "sqlalchemy." if autocommit else "sqlalchemy.transaction_"
    pool_size, max_overflow = (
        settings[f"{pool}{name}"] or settings[f"sqlalchemy.{name}"]
        for name in ("pool_size", "max_overflow")
    )
    url: str = settings["sqlalchemy.url"]
    connect_args = {
        "connect_timeout": settings["sqlalchemy.connect_timeout"],
        **({} if settings["sqlalchemy.prepare"] else {"prepare_threshold": None}),
        **_startup_parameters(settings),
    }
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_use_lifo=True,  # the connections in use have their statements prepared
        pool_timeout=settings["sqlalchemy.pool_timeout"],
        json_serializer=json_dumps,
        **({"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None} if autocommit else {}),
        # Notes, addresses and names must not reach a log or a traceback.
        hide_parameters=True,
    )
    invalidation = invalidation or PoolInvalidation()

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: Any, _args: list[Any], _options: dict[str, Any]) -> Any:
        def connect_to(url: str) -> TimeoutConnection:
            _none, of_url = dialect.create_connect_args(make_url(url))
            return TimeoutConnection.connect(**{**TCP_PARAMETERS, **of_url}, **connect_args)

        nonlocal url
        rejected = url
        try:
            connection = connect_to(url)
        except psycopg.OperationalError:
            # The password may have been rotated, and the server been replaced by another one.
            url = read_again(url) or url
            if url == rejected:
                raise
            connection = connect_to(url)
        connection.response_timeout = settings["sqlalchemy.statement_timeout"] + GRACE
        connection.connected_at = time.monotonic()
        connection.invalidation = invalidation
        connection.is_pooled = settings["sqlalchemy.session_settings"] == "role"
        return connection

    @event.listens_for(engine, "checkout")
    def reject_invalidated(connection: TimeoutConnection, _record: Any, _fairy: Any) -> None:
        if not connection.is_valid:
            raise DisconnectionError

    @event.listens_for(engine, "handle_error")
    def mark_retryable(context: Any) -> None:
        # At a COMMIT, by a deferred trigger: it has rolled back.
        if isinstance(context.original_exception, CONCURRENCY_ERRORS):
            mark_error_retryable(context.sqlalchemy_exception)

    return engine


def _startup_parameters(settings: dict[str, Any]) -> dict[str, str]:
    """The parameters of connections that PostgreSQL receives at their start, and a pooler refuses
    or ignores."""
    if settings["sqlalchemy.session_settings"] == "role":
        return {}
    session = {
        "TimeZone": "UTC",
        **{name: f"{seconds}s" for name, seconds in timeouts(settings).items()},
        **quotas_of_triggers(settings),
    }
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
        "client_encoding": "utf8",  # otherwise that of the database: bytes from SQL_ASCII
    }


def timeouts(settings: dict[str, Any]) -> dict[str, int]:
    """The time-outs of PostgreSQL in seconds, by their names there."""
    return {
        "statement_timeout": settings["sqlalchemy.statement_timeout"],
        "lock_timeout": settings["sqlalchemy.lock_timeout"],
        "idle_in_transaction_session_timeout": settings["sqlalchemy.idle_in_transaction_timeout"],
    }


def quotas_of_triggers(settings: dict[str, Any]) -> dict[str, int]:
    """The quotas that triggers apply, by the names of the session settings that they read."""
    return {f"jobtracker.{name}": settings[f"quotas.{name}"] for name in QUOTAS_OF_TRIGGERS}


def transaction_settings(settings: dict[str, Any]) -> dict[str, int]:
    """The quotas that each transaction has to set: with ``session_settings = role``, those that are
    not the defaults, which the triggers have themselves."""
    if settings["sqlalchemy.session_settings"] == "connect":
        return {}
    defaults = quotas_of_triggers({each.name: each.default for each in SETTINGS})
    return dict(quotas_of_triggers(settings).items() - defaults.items())


def make_migrations_engine(settings: dict[str, Any]) -> Engine:
    """The engine of migrations, which need sessions of their own."""
    url = settings["sqlalchemy.migrations_url"] or settings["sqlalchemy.url"]
    return make_engine({**settings, "sqlalchemy.url": url})


def disable_timeouts(connection: Connection) -> None:
    """Remove a connection from the pool and all of its time-outs: for migrations."""
    connection.detach()
    for name in TIMEOUTS:
        connection.execute(text(f"SET {name} = 0"))
    connection.commit()
    cast(TimeoutConnection, connection.connection.dbapi_connection).response_timeout = None


def disable_timeouts_of_transaction(connection: Connection) -> None:
    """Remove the time-outs of the transaction that a connection has begun: for pshell's prompt."""
    for name in TIMEOUTS:
        connection.execute(text(f"SET LOCAL {name} = 0"))
    cast(TimeoutConnection, connection.connection.dbapi_connection).response_timeout = None
