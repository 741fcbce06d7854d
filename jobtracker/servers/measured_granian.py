"""Granian with metrics: numbered workers, whose responses are counted."""

import functools
import time
from collections.abc import Callable, Hashable
from typing import Any

from granian.server.mp import MPServer

from jobtracker.errors import ApiError, RateLimited
from jobtracker.http.service import ThreadPool
from jobtracker.servers.asgi_application import ASGIApplication


class MeasuredServer(MPServer):
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

    async def _run(
        self, pool: ThreadPool, environ: dict[str, Any], send: Any, user: Hashable
    ) -> None:
        await super()._run(pool, environ, MeasuredSend(send, environ, pool, self.metrics), user)

    def _send_error(self, error: ApiError, environ: dict[str, Any], send: Any) -> None:
        if not isinstance(send, MeasuredSend):
            send = MeasuredSend(send, environ, "", self.metrics)
        if isinstance(error, RateLimited):
            self.metrics.count_queue_limit()
        super()._send_error(error, environ, send)


class MeasuredSend:
    """``send`` of ASGI, which observes a response when it begins."""

    __slots__ = ("_began", "_environ", "_metrics", "_pool", "_send")

    def __init__(self, send: Any, environ: dict[str, Any], pool: str, metrics: Any) -> None:
        self._send, self._environ, self._pool, self._metrics = send, environ, pool, metrics
        self._began = time.monotonic()

    def __call__(self, message: dict[str, Any]) -> Any:
        if message["type"] == "http.response.start":
            seconds = None
            if (queued := self._environ.get("jobtracker.queued_seconds")) is not None:
                seconds = queued, time.monotonic() - self._began - queued
            self._metrics.observe_request(self._environ, message["status"], self._pool, seconds)
        return self._send(message)
