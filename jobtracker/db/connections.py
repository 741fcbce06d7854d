"""``request.connection``: one connection for each request, in a transaction where it may write."""

import contextlib
import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

import psycopg
import zope.sqlalchemy
from psycopg.pq import TransactionStatus
from pyramid.request import Request
from sqlalchemy import Engine, QueuePool, event
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.engine import (
    PoolInvalidation,
    TimeoutConnection,
    make_engine,
    transaction_settings,
)
from jobtracker.db.idle import IdleConnectionCloser

Params = Mapping[str, Any] | None
Cursor = psycopg.Cursor[Any]


# The key of Session.info.
FIRST_STATEMENT = "first_statement"


class SupportsExecute(Protocol):
    """What executes SQL, as a psycopg connection does."""

    def execute(self, query: Any, params: Params = None, *, binary: bool = False) -> Cursor: ...


_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%(number)s::bigint)"


def try_lock(connection: SupportsExecute, number: int) -> bool:
    """Take the advisory lock of that number until the end of the transaction, unless another one
    has it; return whether it was taken."""
    return connection.execute(_TRY_LOCK, {"number": number}).fetchone() == (True,)


class IdleConnectionCache:
    """The idle connections of a pool, up to its size, still checked out of it.

    A check-out of SQLAlchemy's pool and its check-in take an eighth of an unchanged GET:
    benchmarks/README.md.
    """

    def __init__(self, engine: Engine, closer: IdleConnectionCloser) -> None:
        self._engine = engine
        self._closer = closer
        self._idle = closer.cached
        event.listen(engine, "engine_disposed", self._invalidate_idle)

    def __len__(self) -> int:
        return len(self._idle)

    def acquire(self) -> Any:
        with contextlib.suppress(IndexError):
            while True:
                pooled = self._idle.pop()
                if pooled.dbapi_connection.is_valid:
                    return pooled
                pooled.invalidate()
        return self._engine.raw_connection()

    def release(self, pooled: Any) -> None:
        if cast(QueuePool, self._engine.pool).overflow() > 0:
            pooled.close()
        else:
            pooled.dbapi_connection.idle_since = time.monotonic()
            self._idle.append(pooled)
            self._closer.start()

    def _invalidate_idle(self, _engine: Engine) -> None:
        while self._idle:
            self._idle.pop().invalidate()


class AutocommitConnection:
    """A pooled connection, taken on first use, on which each statement is its own transaction."""

    def __init__(self, cache: IdleConnectionCache) -> None:
        self._cache = cache
        self._pooled: Any = None

    def execute(self, query: Any, params: Params = None, *, binary: bool = False) -> Cursor:
        reads = query.startswith("SELECT")
        driver = self._acquire(reads)
        try:
            return driver.run(query, params, binary=binary, repeatable=reads)
        except psycopg.Error as error:
            if driver.closed:
                self._pooled.invalidate(error)
                self._pooled = None
            raise

    def _acquire(self, reads: bool) -> TimeoutConnection:
        started = time.monotonic()
        while self._pooled is None:
            pooled = self._cache.acquire()
            driver = cast(TimeoutConnection, pooled.dbapi_connection)
            # A write must not be sent on a connection that PostgreSQL has closed: its outcome
            # would be unknown.
            if reads or driver.connected_at >= started or not driver.has_pending_input():
                self._pooled = pooled
            else:
                pooled.invalidate()
        return cast(TimeoutConnection, self._pooled.dbapi_connection)

    def close(self) -> None:
        if self._pooled is not None:
            self._cache.release(self._pooled)
            self._pooled = None


class TransactionConnection:
    """The connection of a session's transaction."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection()
        self._driver = cast(TimeoutConnection, self._connection.connection.dbapi_connection)
        # The first statement of each transaction, if there is one.
        self._first: str | None = session.info.get(FIRST_STATEMENT)

    def execute(self, query: Any, params: Params = None, *, binary: bool = False) -> Cursor:
        if self._first is not None and not self._has_begun:
            self._run(self._first, None, binary=False)
        return self._run(query, params, binary=binary)

    def end_reading(self) -> None:
        """End the transaction, which has only read until now; the next statement begins another.

        A pooler can give its session to others then. Without any to give, transactions that wait
        for a second one would wait for each other.
        """
        if self._driver.is_pooled and self._has_begun:
            self._run("COMMIT", None, binary=False)

    @property
    def _has_begun(self) -> bool:
        return self._driver.info.transaction_status is not TransactionStatus.IDLE

    def _run(self, query: Any, params: Params, *, binary: bool) -> Cursor:
        try:
            return self._driver.run(query, params, binary=binary, repeatable=True)
        except psycopg.Error as error:
            if self._driver.closed:
                self._connection.invalidate(error)
            raise


@contextlib.contextmanager
def transaction(sessions: sessionmaker[Session]) -> Iterator[TransactionConnection]:
    """A transaction outside of a request, which an exception rolls back."""
    with sessions.begin() as session:
        yield TransactionConnection(session)


@contextlib.contextmanager
def transaction_of(request: Request) -> Iterator[SupportsExecute]:
    """The transaction of a request, or one of its own where it has none, as for a GET."""
    if isinstance(request.connection, TransactionConnection):
        yield request.connection
    else:
        release_autocommit(request)
        with transaction(request.registry["db_sessions"]) as connection:
            yield connection


@contextlib.contextmanager
def autocommit(registry: Any) -> Iterator[SupportsExecute]:
    """A connection in autocommit mode, for what must outlast the request's transaction.

    A request in autocommit mode calls :func:`release_autocommit` before: with one connection each,
    and one more wanted, requests would exhaust the pool and wait for one another.
    """
    connection: AutocommitConnection = registry["db_autocommit"]()
    try:
        yield connection
    finally:
        connection.close()


def release_autocommit(request: Request) -> None:
    """Return the connection of a request in autocommit mode to the pool until its next use."""
    connection = request.__dict__.get("connection")
    if connection is not None and not isinstance(connection, TransactionConnection):
        connection.close()


def release_reading(request: Request) -> None:
    """As :func:`release_autocommit`; also the session of a transaction, which has only read."""
    connection = request.__dict__.get("connection")
    if isinstance(connection, TransactionConnection):
        connection.end_reading()
    else:
        release_autocommit(request)


def connection_for(request: Request) -> SupportsExecute:
    """``request.connection``. Reads need no transaction: one round trip for a query, not three.

    Exception views and response callbacks run after the end of the transaction.
    """
    if not request.environ.get("tm.active"):
        connection = request.registry["db_autocommit"]()
        replica = request.registry.get("db_replica")  # of jobtracker.db.replicas, if configured
        if replica is not None and request.method in ("GET", "HEAD"):
            connection = replica.reading_connection(connection)
        request.add_finished_callback(lambda _request: connection.close())
        return cast(SupportsExecute, connection)
    session: Session = request.registry["db_sessions"]()
    request.add_finished_callback(lambda _request: session.close())
    # At once: zope.sqlalchemy does not see statements that bypass the ORM.
    zope.sqlalchemy.mark_changed(session, transaction_manager=request.tm)
    return TransactionConnection(session)


def needs_transaction(request: Request) -> bool:
    """Whether pyramid_tm begins a transaction for the request.

    Safe methods (RFC 9110, 9.2.1) do without, and operations whose only write is one statement:
    that is a transaction by itself, at half the cost.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    operation = request.operation
    return (
        operation is None
        or not operation.single_statement
        or (operation.idempotent and "HTTP_IDEMPOTENCY_KEY" in request.environ)
        or request.registry["db_transaction_settings"]  # they are set at its beginning
    )


def make_sessions(engine: Engine, settings: Mapping[str, Any]) -> sessionmaker[Session]:
    """Sessions whose transactions begin with the settings, if there are any."""
    # Until the end of the transaction: afterwards a pooler can give the session to others.
    calls = [f"set_config('{name}', '{value}', true)" for name, value in settings.items()]
    info = {FIRST_STATEMENT: f"SELECT {', '.join(calls)}"} if calls else {}
    return sessionmaker(engine, expire_on_commit=False, info=info)


def includeme(config: Any) -> None:
    registry = config.registry
    settings = registry.settings
    # In an outage perhaps the requests of one pool alone find out that its connections are lost.
    invalidation = PoolInvalidation()
    registry["db_engine"] = engine = make_engine(settings, invalidation=invalidation)
    # A pool of its own: switching a connection to AUTOCOMMIT and back costs half a query.
    autocommit_engine = make_engine(settings, autocommit=True, invalidation=invalidation)
    registry["db_autocommit_engine"] = autocommit_engine
    IdleConnectionCloser.of(engine, settings)
    closer = IdleConnectionCloser.of(autocommit_engine, settings)
    registry["db_idle_connections"] = cache = IdleConnectionCache(autocommit_engine, closer)
    registry["db_autocommit"] = functools.partial(AutocommitConnection, cache)
    registry["db_transaction_settings"] = local = transaction_settings(settings)
    registry["db_sessions"] = make_sessions(engine, local)
    config.add_request_method(connection_for, "connection", reify=True)
    config.add_settings(
        {
            "tm.manager_hook": "pyramid_tm.explicit_manager",
            "tm.activate_hook": needs_transaction,
            "tm.annotate_user": False,  # it would look up the user of every request
            # A 4xx that is returned, not raised, rolls back as well.
            "tm.commit_veto": "pyramid_tm.default_commit_veto",
        }
    )
