"""Reads of safe requests on a streaming replica that is as new as the primary.

Each statement is sent together with one that checks the replica, in one round trip and in one
transaction: docs/decisions/read-replicas.md.
"""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import psycopg
from sqlalchemy import exc as sqlalchemy_exc

from jobtracker.db.checks import first_line
from jobtracker.db.connections import AutocommitConnection, Cursor, IdleConnectionCache, Params
from jobtracker.db.engine import CONCURRENCY_ERRORS, make_engine
from jobtracker.db.idle import IdleConnectionCloser
from jobtracker.errors import DATABASE_ERRORS

log = logging.getLogger(__name__)

#: Seconds that a connection to the replica, and a statement on it, can take before the primary
#: executes the statement.
CONNECT_TIMEOUT, STATEMENT_TIMEOUT = 2, 1

#: Seconds after a failure of the replica until a request uses it again.
RETRY_SECONDS = 5

#: Consecutive statements that exceed STATEMENT_TIMEOUT, and count as a failure of the replica.
MAX_TIMEOUTS = 3

# Errors of one statement or of one moment: others on the replica need not fail as well.
_SINGLE_ERRORS = (*CONCURRENCY_ERRORS, psycopg.DataError, sqlalchemy_exc.TimeoutError)


class Check(NamedTuple):
    """A query whether the server is in recovery, and whether it has the version of the user's data
    that the primary had; without a row where it has not the user."""

    sql: str
    parameters: Mapping[str, Any]


class NotAStandby(psycopg.OperationalError):
    """The server is not in recovery: it was promoted, or is the primary itself."""

    def __init__(self) -> None:
        super().__init__("the server is not in recovery, as it was promoted or is the primary")


class Replica:
    """The pool of the replica's connections, and whether the replica is in use."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        own = {
            "sqlalchemy.url": settings["sqlalchemy.reading_url"],
            "sqlalchemy.connect_timeout": CONNECT_TIMEOUT,
            "sqlalchemy.statement_timeout": STATEMENT_TIMEOUT,
            "sqlalchemy.pool_timeout": 0,  # the primary has connections
        }
        self.engine = make_engine({**settings, **own}, autocommit=True)
        self.cache = IdleConnectionCache(
            self.engine, IdleConnectionCloser.of(self.engine, settings)
        )
        self.is_in_use = True
        self._retry_at = 0.0  # by time.monotonic(), unless it is in use
        self._timeouts = 0
        self._lock = threading.Lock()

    def reading_connection(self, primary: Any) -> "ReplicaConnection":
        """The connection of a safe request, instead of the one to the primary."""
        return ReplicaConnection(primary, self)

    def try_acquire(self) -> bool:
        """Whether a request can use the replica: after a failure, one in RETRY_SECONDS."""
        if self.is_in_use:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._retry_at:
                return False
            self._retry_at = now + RETRY_SECONDS
            return True

    def succeeded(self, *, in_use: bool) -> None:
        """:param in_use: ``is_in_use`` before the statement"""
        self._timeouts = 0
        if not in_use and self._set_in_use(True):
            log.warning("The replica of sqlalchemy.reading_url is used again")

    def failed(self, error: Exception) -> None:
        if isinstance(error, _SINGLE_ERRORS):
            return
        if isinstance(error, psycopg.errors.QueryCanceled):
            self._timeouts += 1
            if self.is_in_use and self._timeouts < MAX_TIMEOUTS:
                return
        if self._set_in_use(False):
            reason = first_line(error)
            log.warning("The replica of sqlalchemy.reading_url is not used for now: %s", reason)

    def _set_in_use(self, in_use: bool) -> bool:
        """Return whether that is a change."""
        with self._lock:
            is_change, self.is_in_use = self.is_in_use != in_use, in_use
            self._retry_at = time.monotonic() + RETRY_SECONDS
        return is_change


class StandbyConnection(AutocommitConnection):
    """A pooled connection to the replica."""

    def execute_checked(
        self, check: Check, query: str, params: Params, *, binary: bool
    ) -> Cursor | None:
        """Execute a query; None if the replica has not the version.

        Both statements are one transaction, so that a pooler sends them to one server.

        :raises NotAStandby: when the server is not in recovery
        """
        driver = self._acquire(reads=True)
        try:
            with driver.pipeline():
                state = driver.run(check.sql, check.parameters, binary=True, repeatable=True)
                cursor = driver.run(query, params, binary=binary, repeatable=True)
            is_in_recovery, is_current = state.fetchone() or (True, False)
            if not is_in_recovery:
                driver.invalidation.invalidate_older()  # the address can be another server's now
                raise NotAStandby
        except psycopg.Error as error:
            if driver.closed:
                self._pooled.invalidate(error)
                self._pooled = None
            raise
        return cursor if is_current else None


class ReplicaConnection:
    """The connection of a safe request: to the primary, and to the replica for the queries that
    follow the one of the user, as long as that has the version of the user's data."""

    #: Of the version of the user's data; None where the primary executes everything.
    check: Check | None = None

    def __init__(self, primary: Any, replica: Replica) -> None:
        self._primary, self._replica = primary, replica
        self._standby = StandbyConnection(replica.cache)

    def execute(self, query: Any, params: Params = None, *, binary: bool = False) -> Cursor:
        if self.check is not None and query.startswith("SELECT"):
            cursor = self._execute_on_replica(self.check, query, params, binary=binary)
            if cursor is not None:
                return cursor
        self.check = None  # the replica may not have what the primary writes or has read
        return cast(Cursor, self._primary.execute(query, params, binary=binary))

    def _execute_on_replica(
        self, check: Check, query: str, params: Params, *, binary: bool
    ) -> Cursor | None:
        in_use = self._replica.is_in_use
        if not self._replica.try_acquire():
            return None
        self._primary.close()  # not held meanwhile
        try:
            cursor = self._standby.execute_checked(check, query, params, binary=binary)
        except DATABASE_ERRORS as error:
            self._replica.failed(error)
            return None
        self._replica.succeeded(in_use=in_use)
        return cursor

    def close(self) -> None:
        """Return the connections until the next use, which is the primary's: what the request
        writes meanwhile, the replica may not have."""
        self.check = None
        self._primary.close()
        self._standby.close()


def includeme(config: Any) -> None:
    settings = config.registry.settings
    if settings["sqlalchemy.reading_url"] is not None:
        config.registry["db_replica"] = Replica(settings)
