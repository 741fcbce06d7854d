"""The metrics of a worker. docs/metrics.md has them in a table."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jobtracker.metrics.families import Counter, Families, Histogram
from jobtracker.settings import SETTINGS

# Seconds. Of requests and of PostgreSQL; of waiting; of Cognito, S3 and Turnstile.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
QUEUE_BUCKETS = (0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
GATEWAY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

# RFC 9110, section 9, and RFC 5789. All others are one label, and so are the paths of no route.
METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
OTHER = "other"

#: The limit of requests of one user that wait in a worker, as a label beside the settings.
QUEUE_LIMIT = "waiting_by_user"


class _Route(NamedTuple):
    requests: Counter
    duration: Histogram


class Metrics:
    """:param find_route: returns the template of a path; None for a path of no route"""

    def __init__(self, families: Families, find_route: Callable[[str], str | None]) -> None:
        self._families = families
        self._find_route = find_route
        self._responses: deque[tuple[Any, ...]] = deque()
        self._routes: dict[tuple[str, str, int], _Route] = {}
        self._requests = families.counter(
            "http_requests", "Responses, those of the server included.", "method", "route", "status"
        )
        self._duration = families.histogram(
            "http_request_duration_seconds",
            "Time of a request in a thread, without the time before it.",
            BUCKETS,
            "method",
            "route",
        )
        self._queued = families.histogram(
            "http_request_queued_seconds",
            "Time that a request waited for a thread.",
            QUEUE_BUCKETS,
            "pool",
        )
        self.postgresql = families.histogram(
            "postgresql_duration_seconds",
            "Time of a statement, a commit, or of getting a connection from the pool.",
            BUCKETS,
            "operation",
            "outcome",
        )
        self.gateways = families.histogram(
            "gateway_request_duration_seconds",
            "Time of a call of Cognito, S3 or Turnstile.",
            GATEWAY_BUCKETS,
            "service",
            "operation",
            "outcome",
        )
        self.rate_limited = families.counter(
            "rate_limited", "Requests beyond a rate limit, by its setting.", "limit"
        )
        names = (each.name for each in SETTINGS if each.name.startswith("rate_limits."))
        for name in (*(name for name in names if name != "rate_limits.storage"), QUEUE_LIMIT):
            _ = self.rate_limited[name,]
        self.token_verifications = families.counter(
            "access_token_verifications", "Access tokens that were not in the cache.", "outcome"
        )
        self.cache_lookups = families.counter(
            "response_cache_lookups", "Look-ups of responses in the cache.", "result"
        )
        self.worker_starts = families.counter(
            "worker_starts", "Starts of worker processes.", "worker"
        )
        self.threads_busy = families.gauge("threads_busy", "Threads that run a request.", "pool")
        self.threads_max = families.gauge("threads_max", "The maximum number of threads.", "pool")
        self.queue_length = families.gauge(
            "queue_requests", "Requests that wait for a thread.", "pool"
        )
        self.client_connections = families.gauge(
            "client_connections", "Open connections of clients."
        )
        self.held_body_bytes = families.gauge(
            "held_body_bytes", "Bytes of bodies of more than 16 KiB that are held."
        )
        self.connections = families.gauge(
            "postgresql_connections", "Connections to PostgreSQL.", "pool", "state"
        )
        self.connections_max = families.gauge(
            "postgresql_connections_max", "The maximum number of connections.", "pool"
        )
        self.replica_in_use = families.gauge(
            "replica_in_use", "Whether all workers use the replica.", "pool", mode="livemin"
        )
        self.cached_responses = families.gauge(
            "response_cache_responses", "Responses in the cache."
        )
        self.cached_bytes = families.gauge(
            "response_cache_bytes", "Bytes of the responses in the cache."
        )
        self.cached_tokens = families.gauge(
            "access_tokens_cached", "Verified access tokens in the cache."
        )
        self.backlog = families.gauge(
            "sweeper_backlog",
            "Rows that wait for the sweeper, 10,000 at most.",
            "part",
            mode="livemax",
        )

    def observe_request(
        self,
        environ: Mapping[str, Any],
        status: int,
        pool: str,
        seconds: tuple[float, float] | None,
    ) -> None:
        """Count a response.

        :param environ: its method and path are used, and ``jobtracker.operation``, if it is there
        :param seconds: in the queue, and in a thread; None for a request that got to no thread
        """
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        operation = environ.get("jobtracker.operation")
        self._responses.append((method, path, operation, status, pool, seconds))

    def write(self) -> None:
        """Add up what was observed since, and write it to the files. In one thread at a time."""
        while self._responses:
            self._count(*self._responses.popleft())
        self._families.write()

    def _count(
        self,
        method: str,
        path: str,
        operation: Any,
        status: int,
        pool: str,
        seconds: tuple[float, float] | None,
    ) -> None:
        route = (self._find_route(path) or OTHER) if operation is None else operation.route
        found = self._routes.get((method, route, status)) or self._add_route(method, route, status)
        found.requests.inc()
        if seconds is not None:
            queued, duration = seconds
            found.duration.observe(duration)
            self._queued[pool,].observe(queued)

    def count_queue_limit(self) -> None:
        """Count a request that is refused, as too many of its user wait."""
        self.rate_limited[QUEUE_LIMIT,].inc()

    def _add_route(self, method: str, route: str, status: int) -> _Route:
        if method not in METHODS:
            method = OTHER
        return self._routes.setdefault(
            (method, route, status),
            _Route(self._requests[method, route, str(status)], self._duration[method, route]),
        )
