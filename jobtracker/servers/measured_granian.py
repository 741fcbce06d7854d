"""Granian with metrics: numbered workers, whose responses are counted."""

import functools
import time
from collections.abc import Callable
from typing import Any

from jobtracker.errors import ApiError, RateLimited
from jobtracker.servers.asgi import Headers
from jobtracker.servers.asgi_application import ASGIApplication, thread_pool_of
from jobtracker.servers.granian_signals import DrainingServer


class MeasuredServer(DrainingServer):
    """:param exporter: :class:`~jobtracker.metrics.exporter.Exporter`"""

    def __init__(self, exporter: Any, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._exporter = exporter

    def _spawn_worker(  # type: ignore[override]
        self, idx: int, target: Any, callback_loader: Callable[..., Any]
    ) -> Any:
        loader = functools.partial(callback_loader, idx)
        return super()._spawn_worker(idx=idx, target=target, callback_loader=loader)

    def startup(self, *args: Any) -> None:
        super().startup(*args)  # type: ignore[no-untyped-call]
        self._exporter.listen(self._alive)  # after the forks, which have no thread of it then

    def _alive(self) -> set[int]:
        workers: list[Any] = list(self.wrks)
        return {worker.idx for worker in workers if worker.is_alive()}


class MeasuredApplication(ASGIApplication):
    """:param metrics: :class:`~jobtracker.metrics.definitions.Metrics`"""

    def __init__(self, metrics: Any, *args: Any) -> None:
        super().__init__(*args)
        self.metrics = metrics

    def _start(self, environ: dict[str, Any], status: int, headers: Headers) -> dict[str, Any]:
        message = super()._start(environ, status, headers)
        pool, seconds = "", None
        if (queued := environ.get("jobtracker.queued_seconds")) is not None:
            pool = thread_pool_of(environ["jobtracker.operation"])
            seconds = queued, time.monotonic() - environ["jobtracker.thread_began"]
        self.metrics.observe_request(environ, status, pool, seconds)
        return message

    def _send_error(self, error: ApiError, environ: dict[str, Any], send: Any) -> None:
        if isinstance(error, RateLimited):
            self.metrics.count_queue_limit()
        super()._send_error(error, environ, send)
