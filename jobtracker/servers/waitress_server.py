"""waitress: one process, in plain Python, for development and where Granian is not available.

Its options are waitress's own (https://docs.pylonsproject.org/projects/waitress/en/stable/arguments.html),
``drain_seconds``, ``seconds_to_finish``, and the limits that Granian has as well.
"""

import functools
import logging
import math
import signal
import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from waitress import wasyncore
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ThreadedTaskDispatcher

from jobtracker.errors import ApiError
from jobtracker.http.service import PROBES
from jobtracker.logs.uncaught import logged_exit
from jobtracker.servers import check_environment, limit_malloc, start_traces
from jobtracker.servers.addresses import check_addresses
from jobtracker.servers.fair_queue import FairQueue
from jobtracker.servers.limits import Limits
from jobtracker.servers.measured_waitress import POOL, MeasuredChannel
from jobtracker.servers.stopping import Shutdown, end_at_once, finish_accepting
from jobtracker.servers.waitress_channel import Channel, close_slow_channels

log = logging.getLogger(__name__)

# Connections that are accepted before the others are looked at again.
MAX_ACCEPTED = 100
# Seconds between two searches for slow clients.
INTERVAL = 0.5


class UserTask(NamedTuple):
    """The next request of a channel, which the dispatcher's queue has for a user."""

    channel: Channel
    user: Hashable
    fair_queue: FairQueue["UserTask"]

    def service(self) -> None:
        started = time.monotonic()
        try:
            self.channel.service()
        finally:
            self.fair_queue.ended(self.user, time.monotonic() - started)

    def cancel(self) -> None:
        self.channel.cancel()


class Dispatcher(ThreadedTaskDispatcher):
    """The threads and their queue, which is fair to users, and a thread for each kind of probe."""

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__()
        self.shutting_down = shutdown
        self._probes: dict[Any, Any] = {pool: ThreadedTaskDispatcher() for pool in PROBES}
        for each in self._probes.values():
            each.set_thread_count(1)
        self._fair_queue: FairQueue[UserTask] = FairQueue(super().add_task, self._refuse)

    def _refuse(self, task: UserTask, error: ApiError) -> None:
        task.channel.requests[0].error = error
        super().add_task(task.channel)

    @property
    def busy(self) -> int:
        return self.active_count

    @property
    def queued(self) -> int:
        """The number of requests that wait."""
        return len(self.queue) + self._fair_queue.waiting

    @property
    def max_size(self) -> int:
        return len(self.threads)

    def stop(self, signal_number: int, _frame: Any) -> None:
        """Begin to stop; at once for a second signal."""
        if self.shutting_down.is_draining():
            end_at_once(signal_number)
        self.shutting_down.drain()

    def add_task(self, task: Any) -> None:
        if not isinstance(task, Channel):
            super().add_task(task)
            return
        task.queued_at = time.monotonic()
        if task.total_outbufs_len:
            task.is_waiting = True  # a pipelined request, until the response before it is sent
        elif (pool := task.thread_pool) in self._probes:
            self._probes[pool].add_task(task)
        elif task.requests[0].error is None and (user := task.set_owner(task.requests[0])):
            self._fair_queue.put(user, UserTask(task, user, self._fair_queue))
        else:
            super().add_task(task)


def serve(
    app: Any,
    *,
    drain_seconds: str | float = 0,
    seconds_to_finish: str | int = 10,
    header_seconds: str | float = 15,
    body_seconds: str | float = 30,
    response_seconds: str | float = 60,
    max_buffered_bytes: str | int = 33554432,
    **options: Any,
) -> None:
    """Serve a Pyramid application until SIGTERM or SIGINT; OSError when the address is taken."""
    # The application interprets X-Forwarded-* itself (setting proxies.trusted).
    options.setdefault("clear_untrusted_proxy_headers", "false")
    # The threads never wait for a client: the limit of max_buffered_bytes holds instead.
    options["outbuf_high_watermark"] = 2**62
    seconds_to_drain = float(drain_seconds)
    shutdown = Shutdown()
    app.registry["is_draining"] = shutdown.is_draining
    dispatcher = Dispatcher(shutdown)
    connections: dict[int, Any] = {}
    server = create_server(app, connections, _dispatcher=dispatcher, **options)
    limits = Limits(
        connections=server.adj.connection_limit,
        body_bytes=server.adj.max_request_body_size,
        buffered_bytes=int(max_buffered_bytes),
        header_seconds=float(header_seconds),
        body_seconds=float(body_seconds),
        response_seconds=float(response_seconds),
    )
    dispatcher.set_thread_count(server.adj.threads)
    exporter = app.registry.get("metrics")
    metrics = None if exporter is None else exporter.start_worker(0)
    listening = [each for each in connections.values() if isinstance(each, BaseWSGIServer)]
    for each in listening:
        each.channel_class = Channel if exporter is None else MeasuredChannel
        each.handle_accept = functools.partial(accept_all, each)
        each.registry = app.registry
        each.limits = limits
        each.metrics = metrics
        log.info("Serving on http://%s:%s", each.effective_host, each.effective_port)
    hosts = [each.effective_host for each in listening]
    limit_malloc()
    start_traces(app.registry)
    check_environment(app.registry.settings, hosts, limits.connections)

    if exporter is not None:

        def held_bytes() -> int:
            return sum(each.held_bytes for each in channels_of(connections))

        exporter.start_sampling(
            0, metrics, {POOL: dispatcher}, lambda: len(channels_of(connections)), held_bytes
        )
        exporter.listen(lambda: {0})
    poll = functools.partial(
        wasyncore.loop, 0.1, server.adj.asyncore_use_poll, connections, count=1
    )
    signal.signal(signal.SIGTERM, dispatcher.stop)
    signal.signal(signal.SIGINT, dispatcher.stop)
    looked_at = 0.0
    drained_at = math.inf
    try:
        while (now := time.time()) < drained_at:
            poll()
            if now - looked_at >= INTERVAL:
                looked_at = now
                close_slow_channels(channels_of(connections), limits, now)
            if drained_at == math.inf and shutdown.is_draining():
                log.info("Stopping, once the requests that have begun are finished")
                drained_at = time.time() + seconds_to_drain
        for each in listening:
            finish_accepting(each.socket, functools.partial(accept_all, each))
            each.del_channel()
            each.socket.close()
        deadline = time.monotonic() + int(seconds_to_finish)
        channels = channels_of(connections)
        while any(each.connected for each in channels) and time.monotonic() < deadline:
            poll()  # before: a request that has arrived is answered
            for each in channels:
                each.will_close |= each.is_unused(time.time())
    finally:
        # Threads without a request end at once; waitress warns of those that are there after it.
        dispatcher.shutdown(timeout=0.5)
        wasyncore.close_all(connections, ignore_all=True)


def accept_all(server: Any) -> None:
    """Accept waiting connections: waitress accepts one, and then polls all that there are."""
    for _ in range(MAX_ACCEPTED):
        before = len(server.active_channels)
        if len(server._map) >= server.adj.connection_limit:
            return
        type(server).handle_accept(server)
        if len(server.active_channels) == before:
            return


def channels_of(connections: dict[int, Any]) -> list[Channel]:
    return [each for each in list(connections.values()) if isinstance(each, Channel)]


@logged_exit()
def server_factory(global_config: dict[str, str], **options: str) -> Callable[[Any], None]:
    """A server for PasteDeploy.

    :raises InvalidSettings: when it cannot listen on its addresses
    """
    check_addresses(options)
    return lambda app: serve(app, **options)
