"""NOTIFY, by which the commit of :func:`jobtracker.tasks.queries.enqueue` wakes workers."""

import contextlib
import select
from typing import cast

from psycopg import Error
from sqlalchemy import Engine

from jobtracker.db.engine import TimeoutConnection
from jobtracker.tasks.queries import CHANNEL

# Seconds from one search for tasks to the next, where nothing wakes a worker.
POLL_INTERVAL = 2
# Seconds after which the connection is tested.
MAX_WAIT = 60


class Notifications:
    """Waits for NOTIFY, on a connection of its own.

    Behind a pooler, whose sessions are for one transaction, there is none: it waits for
    POLL_INTERVAL.

    :param engine: its pool is left without the connection
    :param stop_fd: a file descriptor that ends the waiting when it can be read
    """

    def __init__(self, engine: Engine, stop_fd: int) -> None:
        self._engine, self._stop_fd = engine, stop_fd
        self._connection: TimeoutConnection | None = None
        self._is_pooled = False

    def listen(self) -> None:
        """Make the connection, or test it; what was sent until now is forgotten.

        :raises: an error of the database; the next call makes a new one
        """
        if self._is_pooled:
            return
        try:
            if self._connection is None:
                self._connect()
            else:
                self._connection.execute(f"LISTEN {CHANNEL}")
        except Error:
            self.close()
            raise

    def _connect(self) -> None:
        pooled = self._engine.raw_connection()
        connection = cast(TimeoutConnection, pooled.dbapi_connection)
        self._is_pooled = connection.is_pooled
        if self._is_pooled:
            pooled.close()
            return
        pooled.detach()
        self._connection = connection
        connection.autocommit = True
        connection.add_notify_handler(lambda _notify: None)  # otherwise they are collected
        connection.execute(f"LISTEN {CHANNEL}")

    def wait(self, seconds: float | None) -> None:
        """Wait for a notification or the end, at most so many seconds, or MAX_WAIT."""
        limit = MAX_WAIT if self._connection is not None else POLL_INTERVAL
        seconds = limit if seconds is None else min(seconds, limit)
        poll = select.poll()
        poll.register(self._stop_fd, select.POLLIN)
        if self._connection is not None:
            poll.register(self._connection.fileno(), select.POLLIN)
        poll.poll(seconds * 1000)

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Error):
                self._connection.close()
            self._connection = None
