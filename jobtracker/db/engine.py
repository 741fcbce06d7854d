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
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DisconnectionError

from jobtracker.renderer import json_dumps

# Seconds that PostgreSQL has beyond statement_timeout to report the time-out itself.
GRACE = 0.5

# The time-outs of PostgreSQL, all of which make_engine() sets.
TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

# Cursors kept by a connection, each with the last row that it read.
MAX_CURSORS = 100

set_json_loads(orjson.loads)
set_json_dumps(json_dumps)
psycopg.adapters.register_dumper(dict, JsonDumper)

# PostgreSQL aborted the transaction in favour of a concurrent one.
CONCURRENCY_ERRORS = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


class ResponseTimeout(psycopg.OperationalError):
    """PostgreSQL neither answered nor reported a time-out: the network or its host stalls."""


class PoolInvalidation:
    """The time of a pool's last invalidation: connections made before it are not used again."""

    invalidated_at = -math.inf

    def invalidate_older(self) -> None:
        """Invalidate all connections that exist now: where one was closed, all were."""
        self.invalidated_at = time.monotonic()


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that times out on the client's side too: when the network does not work."""

    #: Seconds that a statement can take; None for no limit.
    response_timeout: float | None = None
    #: ``time.monotonic()`` when it was made.
    connected_at: float
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
            lost = self.closed and isinstance(error, psycopg.OperationalError)
            if self.closed:
                self.invalidation.invalidate_older()
            if isinstance(error, CONCURRENCY_ERRORS) or (
                lost and repeatable and not isinstance(error, ResponseTimeout)
            ):
                mark_error_retryable(error)
            raise

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
        except psycopg.OperationalError as error:
            if self.closed or self.info.transaction_status is not TransactionStatus.ACTIVE:
                raise  # reported by PostgreSQL
            self.close()
            raise ResponseTimeout("no answer in time") from error


def make_engine(settings: dict[str, Any], *, autocommit: bool = False) -> Engine:
    """A connection pool, which connects on first use and whose every operation times out."""
    idle_timeout = settings["sqlalchemy.idle_in_transaction_timeout"]
    options = (
        "-c TimeZone=UTC"
        f" -c statement_timeout={settings['sqlalchemy.statement_timeout']}s"
        f" -c lock_timeout={settings['sqlalchemy.lock_timeout']}s"
        f" -c idle_in_transaction_session_timeout={idle_timeout}s"
        # For the triggers that insert activity and steps.
        f" -c jobtracker.activity_per_job={settings['quotas.activity_per_job']}"
        f" -c jobtracker.history_per_job={settings['quotas.history_per_job']}"
    )
    engine = create_engine(
        settings["sqlalchemy.url"],
        pool_size=settings["sqlalchemy.pool_size"],
        max_overflow=settings["sqlalchemy.max_overflow"],
        pool_use_lifo=True,  # the connections in use have their statements prepared
        pool_timeout=settings["sqlalchemy.pool_timeout"],
        connect_args={
            "connect_timeout": settings["sqlalchemy.connect_timeout"],
            "options": options,
            "client_encoding": "utf8",  # otherwise that of the database: bytes from SQL_ASCII
        },
        json_serializer=json_dumps,
        **({"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None} if autocommit else {}),
        # Notes, addresses and names must not reach a log or a traceback.
        hide_parameters=True,
    )
    invalidation = PoolInvalidation()

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, args: list[Any], options: dict[str, Any]) -> Any:
        connection = TimeoutConnection.connect(*args, **options)
        connection.response_timeout = settings["sqlalchemy.statement_timeout"] + GRACE
        connection.connected_at = time.monotonic()
        connection.invalidation = invalidation
        return connection

    @event.listens_for(engine, "checkout")
    def reject_invalidated(connection: TimeoutConnection, _record: Any, _fairy: Any) -> None:
        if not connection.is_valid:
            raise DisconnectionError

    return engine


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
