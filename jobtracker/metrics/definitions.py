"""The metrics of a worker. docs/metrics.md has them in a table."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prometheus_client import Counter, Gauge, Histogram

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
QUEUE_LIMIT = "queue"


class _Route(NamedTuple):
    requests: Any
    duration: Any


class Metrics:
    """:param find_route: the template of a path; None for a path of no route"""

    def __init__(self, find_route: Any) -> None:
        self._find_route = find_route
        self._routes: dict[tuple[str, str, int], _Route] = {}
        self._requests = _counter(
            "http_requests", "Responses, those of the server included.", "method", "route", "status"
        )
        self._duration = _histogram(
            "http_request_duration_seconds",
            "Time of a request in a thread, without the time before it.",
            BUCKETS,
            "method",
            "route",
        )
        queued = _histogram(
            "http_request_queued_seconds",
            "Time that a request waited for a thread.",
            QUEUE_BUCKETS,
            "pool",
        )
        self._queued = _Children(queued)
        postgresql = _histogram(
            "postgresql_duration_seconds",
            "Time of a statement, a commit, or of getting a connection from the pool.",
            BUCKETS,
            "operation",
            "outcome",
        )
        self.postgresql = _Children(postgresql)
        gateways = _histogram(
            "gateway_request_duration_seconds",
            "Time of a call of Cognito, S3 or Turnstile.",
            GATEWAY_BUCKETS,
            "service",
            "operation",
            "outcome",
        )
        self.gateways = _Children(gateways)
        self.rate_limited = _counter(
            "rate_limited", "Requests beyond a rate limit, by its setting.", "limit"
        )
        names = (each.name for each in SETTINGS if each.name.startswith("rate_limits."))
        for name in (*(name for name in names if name != "rate_limits.storage"), QUEUE_LIMIT):
            self.rate_limited.labels(name)
        self.token_verifications = _counter(
            "access_token_verifications", "Access tokens that were not in the cache.", "outcome"
        )
        self.cache_lookups = _counter(
            "response_cache_lookups", "Look-ups of responses in the cache.", "result"
        )
        starts = _counter("worker_starts", "Starts of worker processes.", "worker")
        self.worker_starts = starts
        self.threads_busy = _gauge("threads_busy", "Threads that run a request.", "pool")
        self.threads_max = _gauge("threads_max", "The maximum number of threads.", "pool")
        self.queue_length = _gauge("queue_requests", "Requests that wait for a thread.", "pool")
        self.client_connections = _gauge("client_connections", "Open connections of clients.")
        self.held_body_bytes = _gauge(
            "held_body_bytes", "Bytes of bodies of more than 16 KiB that are held."
        )
        self.connections = _gauge(
            "postgresql_connections", "Connections to PostgreSQL.", "pool", "state"
        )
        self.connections_max = _gauge(
            "postgresql_connections_max", "The maximum number of connections.", "pool"
        )
        self.replica_in_use = _gauge(
            "replica_in_use", "Whether all workers use the replica.", "pool", mode="livemin"
        )
        self.cached_responses = _gauge("response_cache_responses", "Responses in the cache.")
        self.cached_bytes = _gauge("response_cache_bytes", "Bytes of the responses in the cache.")
        self.cached_tokens = _gauge("access_tokens_cached", "Verified access tokens in the cache.")
        self.backlog = _gauge(
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
        method = environ["REQUEST_METHOD"]
        operation = environ.get("jobtracker.operation")
        if operation is None:
            route = self._find_route(environ["PATH_INFO"]) or OTHER
        else:
            route = operation.route
        found = self._routes.get((method, route, status)) or self._add_route(method, route, status)
        found.requests.inc()
        if seconds is not None:
            queued, duration = seconds
            found.duration.observe(duration)
            self._queued[pool,].observe(queued)

    def count_queue_limit(self) -> None:
        """Count a request that is refused, as too many of its user wait."""
        self.rate_limited.labels(QUEUE_LIMIT).inc()

    def _add_route(self, method: str, route: str, status: int) -> _Route:
        if method not in METHODS:
            method = OTHER
        return self._routes.setdefault(
            (method, route, status),
            _Route(
                self._requests.labels(method, route, status), self._duration.labels(method, route)
            ),
        )


class _Children(dict[tuple[str, ...], Any]):
    """The children of a metric by the values of its labels: labels() takes a lock, and as long as
    an observation."""

    def __init__(self, metric: Any) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, labels: tuple[str, ...]) -> Any:
        child = self[labels] = self._metric.labels(*labels)
        return child


# Outside of the registry of prometheus_client: the main process reads files.


def _counter(name: str, documentation: str, *labels: str) -> Counter:
    return Counter(f"jobtracker_{name}_total", documentation, labels, registry=None)


def _histogram(
    name: str, documentation: str, buckets: tuple[float, ...], *labels: str
) -> Histogram:
    return Histogram(f"jobtracker_{name}", documentation, labels, buckets=buckets, registry=None)


def _gauge(name: str, documentation: str, *labels: str, mode: Any = "livesum") -> Gauge:
    return Gauge(f"jobtracker_{name}", documentation, labels, multiprocess_mode=mode, registry=None)
