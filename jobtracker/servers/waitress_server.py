"""waitress: one process, in plain Python, for development and wherever Granian is not to be had.

All options of waitress hold, beside ``seconds_to_finish``: https://docs.pylonsproject.org/projects/waitress/en/stable/arguments.html
"""

import functools
import logging
import signal
import time
from collections.abc import Callable
from http.client import responses
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from jobtracker.servers import refusal

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)

# Seconds that requests have to be finished, once the server is told to stop.
SECONDS_TO_FINISH = 10
SECONDS_BETWEEN_LOOKS = 0.1


class LastTask(WSGITask):
    """A request that, while the server stops, is the last of its connection."""

    def build_response_header(self) -> bytes:
        if self.channel.server.task_dispatcher.stopping:
            self.set_close_on_finish()
        return super().build_response_header()


class RefusedTask(ErrorTask):
    """A request that is none, answered as all errors are."""

    def execute(self) -> None:
        headers = self.request.headers
        status, answered, body = refusal(
            self.request.error.code,
            self.channel.server.settings,
            origin=headers.get("ORIGIN", ""),
            request_id=headers.get("X_REQUEST_ID", ""),
        )
        self.status = f"{status} {responses[status]}"
        self.response_headers += answered
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):
    """A connection."""

    task_class = LastTask
    error_task_class = RefusedTask

    @property
    def is_busy(self) -> bool:
        """Whether there is a request that is not wholly answered, or not wholly come."""
        return bool(self.requests or self.total_outbufs_len or self.request is not None)


def accept_all(listening: BaseWSGIServer) -> None:
    """Take all who wait to be connected, not one at each turn: the threads take turns too."""
    connections = -1
    while len(listening.active_channels) > connections:
        connections = len(listening.active_channels)
        BaseWSGIServer.handle_accept(listening)


class Dispatcher(ThreadedTaskDispatcher):
    """The threads, and what waits for them."""

    stopping = False

    def add_task(self, task: Any) -> None:
        super().add_task(task)
        # A request that could not be understood has no path.
        if getattr(task.requests[0], "path", None) == "/health":
            with self.lock:
                if task in self.queue:
                    self.queue.remove(task)
                    self.queue.appendleft(task)


def serve(app: Any, *, seconds_to_finish: str | int = SECONDS_TO_FINISH, **options: Any) -> None:
    """Serve until told to stop.

    :param app: a Pyramid application
    :param seconds_to_finish: for what has begun by then
    :param options: waitress's own
    :raises OSError: when the address is taken
    """
    # Who is behind a proxy, the application finds out by itself.
    options.setdefault("clear_untrusted_proxy_headers", "false")
    dispatcher = Dispatcher()
    connections: dict[int, Any] = {}
    server = create_server(app, connections, _dispatcher=dispatcher, **options)
    dispatcher.set_thread_count(server.adj.threads)
    listening = [each for each in connections.values() if isinstance(each, BaseWSGIServer)]
    for each in listening:
        each.channel_class = Channel
        each.handle_accept = functools.partial(accept_all, each)
        each.settings = app.registry.settings
        log.info("Serving on http://%s:%s", each.effective_host, each.effective_port)

    def stop(*_: Any) -> None:
        dispatcher.stopping = True
        listening[0].pull_trigger()  # wakes up the loop

    before = {each: signal.signal(each, stop) for each in SIGNALS}

    def loop() -> None:
        wasyncore.loop(SECONDS_BETWEEN_LOOKS, server.adj.asyncore_use_poll, connections, count=1)

    try:
        while not dispatcher.stopping:
            loop()
        for each in listening:
            each.del_channel()
            each.socket.close()
        deadline = time.monotonic() + int(seconds_to_finish)
        while _is_busy(connections) and time.monotonic() < deadline:
            loop()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        dispatcher.shutdown(timeout=0)
        wasyncore.close_all(connections, ignore_all=True)


def _is_busy(connections: dict[int, Any]) -> bool:
    """Whether there is anything to wait for; idle connections are closed."""
    channels = [each for each in connections.values() if isinstance(each, Channel)]
    busy = [channel for channel in channels if channel.is_busy]
    for channel in channels:
        if channel not in busy:
            channel.will_close = True
    return bool(busy)


def server_factory(global_config: dict[str, str], **options: str) -> Callable[[Any], None]:
    """A server for PasteDeploy."""
    return lambda app: serve(app, **options)
