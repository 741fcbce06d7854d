"""The thread of a worker that sets the gauges, and writes all metrics to the files."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn, Protocol

from jobtracker.db.connections import autocommit
from jobtracker.errors import DATABASE_ERRORS
from jobtracker.metrics.backlog import read_backlog
from jobtracker.metrics.definitions import Metrics

log = logging.getLogger(__name__)

# Seconds between two samples; between two reads of the sweeper's backlog.
INTERVAL = 0.25
BACKLOG_INTERVAL = 60


class PoolState(Protocol):
    """A thread pool of a server."""

    @property
    def busy(self) -> int:
        """Threads that run a request."""

    @property
    def queued(self) -> int:
        """Requests that wait."""

    @property
    def max_size(self) -> int: ...


class ServerState(NamedTuple):
    pools: Mapping[str, PoolState]
    connections: Callable[[], int]
    held_bytes: Callable[[], int]


def _repeat(function: Callable[[], None], seconds: float) -> NoReturn:
    while True:
        try:
            function()
        except Exception:
            log.exception("Unexpected error while sampling metrics")
        time.sleep(seconds)


class Sampler(threading.Thread):
    """:param reads_backlog: whether this worker reads the sweeper's backlog: one of them does"""

    def __init__(
        self, registry: Any, metrics: Metrics, state: ServerState, *, reads_backlog: bool
    ) -> None:
        super().__init__(name="metrics", daemon=True)
        self._registry, self._metrics, self._state = registry, metrics, state
        self._reads_backlog = reads_backlog

    def run(self) -> None:
        if self._reads_backlog:
            # In a thread of its own: PostgreSQL can be slow.
            repeated = [self._sample_backlog, BACKLOG_INTERVAL]
            threading.Thread(target=_repeat, args=repeated, daemon=True).start()
        _repeat(self._sample, INTERVAL)

    def _sample(self) -> None:
        metrics, registry = self._metrics, self._registry
        for name, pool in self._state.pools.items():
            metrics.threads_busy[name,].set(pool.busy)
            metrics.threads_max[name,].set(pool.max_size)
            metrics.queue_length[name,].set(pool.queued)
        metrics.client_connections[()].set(self._state.connections())
        metrics.held_body_bytes[()].set(self._state.held_bytes())
        metrics.cached_tokens[()].set(len(registry["access_tokens"].cache))
        cache = registry["response_cache"]
        metrics.cached_responses[()].set(len(cache))
        metrics.cached_bytes[()].set(cache.bytes)
        statements = registry["db_autocommit_engine"].pool
        self._sample_connections("statements", statements, registry["db_idle_connections"])
        self._sample_connections("transactions", registry["db_engine"].pool, ())
        if (replica := registry.get("db_replica")) is not None:
            self._sample_connections("replica", replica.engine.pool, replica.cache)
            metrics.replica_in_use["replica",].set(replica.is_in_use)
        metrics.write()

    def _sample_connections(self, name: str, pool: Any, cached: Any) -> None:
        """:param cached: idle connections that are checked out of the pool"""
        in_use = max(0, pool.checkedout() - len(cached))
        gauge = self._metrics.connections
        gauge[name, "in_use"].set(in_use)
        gauge[name, "idle"].set(pool.checkedin() + len(cached))
        self._metrics.connections_max[name,].set(pool.size() + pool._max_overflow)

    def _sample_backlog(self) -> None:
        try:
            with autocommit(self._registry) as connection:
                parts = read_backlog(connection, self._registry.settings)
        except DATABASE_ERRORS as error:
            log.warning("The backlog of the sweeper is not read: %s", type(error).__name__)
            return
        for part, number in parts.items():
            self._metrics.backlog[part,].set(number)
