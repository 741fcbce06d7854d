"""Connections that are idle for long are closed, so that other processes can have theirs."""

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy import Engine, event


class IdleConnectionCloser:
    """Closes the connections of an engine that are idle for ``timeout`` seconds, but for those that
    were used last.

    Both places for idle connections are LIFO, so those at the left have been idle for longest. The
    thread of a timer exists only after connections were used: a process without requests has to
    close its connections as well, and has nothing else that runs then.

    :param timeout: in seconds
    :param minimum: the number of connections that stay open
    """

    def __init__(self, engine: Engine, timeout: float, minimum: int) -> None:
        self._engine, self._timeout, self._minimum = engine, timeout, minimum
        #: Idle connections that are still checked out of the pool, by IdleConnectionCache.
        self.cached: deque[Any] = deque()
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        event.listen(engine, "checkin", self._returned)
        event.listen(engine, "engine_disposed", self._stop)

    @classmethod
    def of(cls, engine: Engine, settings: Mapping[str, Any]) -> Self:
        return cls(engine, settings["sqlalchemy.idle_timeout"], settings["sqlalchemy.min_idle"])

    def start(self) -> None:
        """Start the timer unless it runs."""
        if self._timer is None:
            self._start(self._timeout)

    def _start(self, seconds: float) -> None:
        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(seconds, self._close_idle)
                self._timer.daemon = True
                self._timer.start()

    def _returned(self, connection: Any, _record: Any) -> None:
        if connection is not None:  # otherwise it was invalidated
            connection.idle_since = time.monotonic()
            self.start()

    def _stop(self, _engine: Engine) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _close_idle(self) -> None:
        self._timer = None  # a connection that is returned from now on starts another one
        while self._number() > self._minimum:
            idle_since = self._close_longest_idle(time.monotonic() - self._timeout)
            if idle_since is not None:
                self._start(idle_since + self._timeout - time.monotonic())
                break

    def _number(self) -> int:
        pool: Any = self._engine.pool
        return len(self.cached) + int(pool.checkedin())

    def _close_longest_idle(self, before: float) -> float | None:
        """Close a connection, or return since when that is idle which has been for longest.

        :param before: the time until which it was returned
        """
        pool: Any = self._engine.pool
        with pool._pool.mutex:
            entries = pool._pool.queue
            # Of a connection that was invalidated only the pool's record exists.
            idle_since = _idle_since(entries[0]) if entries else math.inf
            entry = entries.popleft() if idle_since <= before else None
        if entry is not None:
            try:
                entry.close()
            finally:
                pool._dec_overflow()
            return None
        try:
            cached = self.cached.popleft()
        except IndexError:
            return min(idle_since, time.monotonic())
        if _idle_since(cached) <= before:
            cached.invalidate()
            return None
        self.cached.appendleft(cached)
        return min(idle_since, _idle_since(cached))


def _idle_since(pooled: Any) -> float:
    return float(getattr(pooled.dbapi_connection, "idle_since", -math.inf))
