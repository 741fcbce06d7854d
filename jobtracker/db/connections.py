"""Connections to PostgreSQL: the pool, and that nothing waits for an answer for ever."""

import contextlib
import functools
import math
import select
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol, cast

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.json import set_json_loads
from pyramid_retry import mark_error_retryable
from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    QueuePool,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session

from jobtracker.renderer import json_dumps

# Seconds that PostgreSQL has to say by itself that a statement took too long.
GRACE = 0.5

# Seconds between two looks whether somebody presses Ctrl-C: psycopg's own.
WAKE_UP_EVERY = 0.1

# Cursors that a connection keeps, with the last row that each has read.
MAX_CURSORS = 100

set_json_loads(orjson.loads)

# PostgreSQL ended the transaction for another's sake.
RETRYABLE = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


class ResponseTimeout(psycopg.OperationalError):
    """PostgreSQL did not answer in time, and did not say why: the network stalls, or its host."""


class Pool:
    """When a connection of the pool was last found dead: all that are older are not used again."""

    last_death = -math.inf

    def invalidate_older(self) -> None:
        self.last_death = time.monotonic()


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that does not wait for an answer for ever.

    PostgreSQL's own time-outs reach us only as long as anything does.
    """

    #: Seconds for a statement; None for no bound.
    patience: float | None = None
    #: When it was made, and what it shares with all of its pool.
    born: float
    pool: "Pool"

    @functools.cached_property
    def _cursors(self) -> dict[tuple[Any, bool], psycopg.Cursor[Any]]:
        return {}

    def cached_cursor(self, query: Any, *, binary: bool) -> psycopg.Cursor[Any]:
        """The cursor that has run this query before, unless it was closed: it knows already how to
        read the columns, which takes a fifth of what a row costs."""
        cursor = self._cursors.get((query, binary))
        if cursor is None or cursor.closed or type(cursor) is not self.cursor_factory:
            if len(self._cursors) >= MAX_CURSORS:
                self._cursors.clear()
            cursor = self._cursors[query, binary] = self.cursor(binary=binary)
        return cursor

    def has_been_told_something(self) -> bool:
        """Whether PostgreSQL has said something that nobody asked for: that it ends, as a rule.
        Whoever has something to write, once, had better not write it here."""
        said = select.poll()
        said.register(self.fileno(), select.POLLIN)
        return bool(said.poll(0))

    def wait(self, gen: Any, interval: float = WAKE_UP_EVERY, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, timeout=timeout or self.patience)
        except psycopg.OperationalError as error:
            if self.closed or self.info.transaction_status is not TransactionStatus.ACTIVE:
                raise  # PostgreSQL's own word
            self.close()
            raise ResponseTimeout("no answer in time") from error


def make_engine(settings: dict[str, Any], *, reading: bool = False) -> Engine:
    """A connection pool, which connects when first asked. All it does ends in bounded time.

    :param reading: each statement is its own transaction, and there is none to end
    """
    bounds = {
        "statement_timeout": settings["sqlalchemy.statement_timeout"],
        "lock_timeout": settings["sqlalchemy.lock_timeout"],
        "idle_in_transaction_session_timeout": settings["sqlalchemy.idle_in_transaction_timeout"],
    }
    options = ["-c TimeZone=UTC", *(f"-c {name}={seconds}s" for name, seconds in bounds.items())]
    engine = create_engine(
        settings["sqlalchemy.url"],
        pool_size=settings["sqlalchemy.pool_size"],
        max_overflow=settings["sqlalchemy.max_overflow"],
        pool_timeout=settings["sqlalchemy.pool_timeout"],
        connect_args={
            "connect_timeout": settings["sqlalchemy.connect_timeout"],
            "options": " ".join(options),
        },
        json_serializer=json_dumps,
        **({"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None} if reading else {}),
        # Notes, addresses and names have no business in a log or a traceback.
        hide_parameters=True,
    )
    patience = settings["sqlalchemy.statement_timeout"] + GRACE
    pool = Pool()

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, args: list[Any], options: dict[str, Any]) -> Any:
        connection = TimeoutConnection.connect(*args, **options)
        connection.patience = patience
        connection.born = time.monotonic()
        connection.pool = pool
        return connection

    @event.listens_for(engine, "checkout")
    def check_out(connection: TimeoutConnection, _record: Any, _fairy: Any) -> None:
        if connection.born < pool.last_death:
            raise DisconnectionError

    event.listen(engine, "handle_error", _on_error)
    return engine


def _on_error(context: ExceptionContext) -> None:
    error = context.original_exception
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        # A primary that became a standby: the pool has to look for the new one.
        context.is_disconnect = True
    elif context.is_disconnect and context.statement and not isinstance(error, ResponseTimeout):
        # A pooled connection that died: nothing was committed (a commit is no statement), and the
        # request can be tried again on a new one.
        mark_error_retryable(context.sqlalchemy_exception)


def disable_timeouts(connection: Connection) -> None:
    """Let a connection take its time, and leave the pool: for migrations."""
    connection.detach()
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET {name} = 0"))
    connection.commit()
    cast(TimeoutConnection, connection.connection.dbapi_connection).patience = None


class SupportsExecute(Protocol):
    """What runs SQL, as psycopg's own connection does."""

    def execute(
        self, query: Any, params: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> psycopg.Cursor[Any]: ...


class Statements:
    """A connection of the pool on which each statement is a transaction of its own.

    One that died in the pool is replaced, and nobody notices: what only reads is asked again.
    """

    def __init__(self, lender: "Lender") -> None:
        self._lender = lender
        self._pooled: Any = None

    def execute(
        self, query: Any, params: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> psycopg.Cursor[Any]:
        reads = query.startswith("SELECT")
        connection = self._connection(reads)
        try:
            return connection.cached_cursor(query, binary=binary).execute(query, params)
        except RETRYABLE as error:
            mark_error_retryable(error)
            raise
        except psycopg.OperationalError as error:
            if not connection.closed:
                raise
            self._pooled.invalidate(error)
            self._pooled = None
            # Where one died, all have: a restart, a firewall.
            connection.pool.invalidate_older()
            if isinstance(error, ResponseTimeout) or not reads:
                raise  # what writes may have been done
        return self._connection(reads).cached_cursor(query, binary=binary).execute(query, params)

    def _connection(self, reads: bool) -> TimeoutConnection:
        began = time.monotonic()
        while self._pooled is None:
            pooled = self._lender.lend()
            connection = pooled.dbapi_connection
            if reads or connection.born >= began or not connection.has_been_told_something():
                self._pooled = pooled
            else:
                pooled.invalidate()
        return cast(TimeoutConnection, self._pooled.dbapi_connection)

    def close(self) -> None:
        """Let others have the connection."""
        if self._pooled is not None:
            pooled, self._pooled = self._pooled, None
            self._lender.take_back(pooled)


class Lender:
    """Lends a pool's connections, and keeps those at hand that come back: as many as the pool keeps
    open. To go through the pool each time takes a tenth of a 304.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[Any] = deque()
        event.listen(engine, "engine_disposed", self._close_idle)

    def lend(self) -> Any:
        """A connection of the pool that nobody else has, and that is not known to be dead."""
        with contextlib.suppress(IndexError):
            while True:
                pooled = self._idle.pop()
                connection = pooled.dbapi_connection
                if not connection.closed and connection.born >= connection.pool.last_death:
                    return pooled
                pooled.invalidate()
        return self._engine.raw_connection()

    def take_back(self, pooled: Any) -> None:
        """It is not needed for now."""
        if cast(QueuePool, self._engine.pool).overflow() > 0:  # more than the pool keeps
            pooled.close()
        else:
            self._idle.append(pooled)

    def _close_idle(self, _engine: Engine) -> None:
        while self._idle:
            self._idle.pop().invalidate()


class Writing:
    """The connection of a session's transaction."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection()
        self._driver = cast(TimeoutConnection, self._connection.connection.dbapi_connection)

    def execute(
        self, query: Any, params: Mapping[str, Any] | None = None, *, binary: bool = False
    ) -> psycopg.Cursor[Any]:
        try:
            return self._driver.cached_cursor(query, binary=binary).execute(query, params)
        except RETRYABLE as error:
            mark_error_retryable(error)
            raise
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
            if self._driver.closed or isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                self._connection.invalidate(error)
                self._driver.pool.invalidate_older()
                # Nothing was committed, and there is a new connection for another try.
                if isinstance(error, psycopg.OperationalError) and not isinstance(
                    error, ResponseTimeout
                ):
                    mark_error_retryable(error)
            raise
