"""waitress: one process, in plain Python, for development and where Granian is not available.

Its options are waitress's own (https://docs.pylonsproject.org/projects/waitress/en/stable/arguments.html)
and ``seconds_to_finish``.
"""

import functools
import logging
import signal
import time
from collections.abc import Callable, Hashable
from http.client import responses
from typing import Any, NamedTuple

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from jobtracker.servers import error_response
from jobtracker.servers.fair_queue import FairQueue

log = logging.getLogger(__name__)


class RequestTask(WSGITask):
    def build_response_header(self) -> bytes:
        if self.channel.server.task_dispatcher.stopping:
            super().set_close_on_finish()
        return super().build_response_header()

    def set_close_on_finish(self) -> None:
        # waitress closes where there is no Content-Length, even if the status allows no body.
        if self.has_body or self.version == "1.0" or self.request.connection_close:
            super().set_close_on_finish()


class RejectedRequestTask(ErrorTask):
    def execute(self) -> None:
        headers = self.request.headers
        status, self.response_headers, body = error_response(
            self.request.error.code,
            self.channel.server.settings,
            headers.get("ORIGIN", ""),
            headers.get("X_REQUEST_ID", ""),
        )
        self.status = f"{status} {responses[status]}"
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):
    task_class = RequestTask
    error_task_class = RejectedRequestTask


class TooManyWaiting(Exception):
    """The error of a request that waits for others of its user for too long."""

    code = 429


class UserTask(NamedTuple):
    """The next request of a channel, which the dispatcher's queue has for a user."""

    channel: Channel
    user: Hashable
    fair_queue: FairQueue["UserTask"]

    def service(self) -> None:
        try:
            self.channel.service()
        finally:
            self.fair_queue.ended(self.user)

    def cancel(self) -> None:
        self.channel.cancel()


class Dispatcher(ThreadedTaskDispatcher):
    """The threads and their queue, in which ``/health`` comes first, and which is fair to users.

    :param user_of: the user of an environ
    """

    stopping = False

    def __init__(self, user_of: Callable[[dict[str, str]], Hashable]) -> None:
        super().__init__()
        self._user_of = user_of
        self._fair_queue: FairQueue[UserTask] = FairQueue(super().add_task, self._refuse)

    def _refuse(self, task: UserTask) -> None:
        task.channel.requests[0].error = TooManyWaiting()
        super().add_task(task.channel)

    def stop(self, *_signal: Any) -> None:
        self.stopping = True

    def add_task(self, task: Any) -> None:
        # A rejected request has no path.
        if getattr(task.requests[0], "path", None) == "/health":
            with self.lock:
                self.queue.appendleft(task)
                self.queue_cv.notify()
            return
        user = self._user_of(environ_of(task)) if task.requests[0].error is None else None
        if user is None:
            super().add_task(task)
        else:
            self._fair_queue.put(user, UserTask(task, user, self._fair_queue))


def environ_of(channel: Channel) -> dict[str, str]:
    """What determines the user of a channel's next request."""
    request = channel.requests[0]
    headers = request.headers
    names = ("AUTHORIZATION", "X_FORWARDED_FOR")
    environ = {f"HTTP_{name}": headers[name] for name in names if name in headers}
    target = {"REQUEST_METHOD": request.command.upper(), "PATH_INFO": request.path}
    return {"REMOTE_ADDR": channel.addr[0], **target, **environ}


def serve(app: Any, *, seconds_to_finish: str | int = 10, **options: Any) -> None:
    """Serve a Pyramid application until SIGTERM or SIGINT; OSError when the address is taken."""
    # The application interprets X-Forwarded-* itself (setting proxies.trusted).
    options.setdefault("clear_untrusted_proxy_headers", "false")
    dispatcher = Dispatcher(app.registry.get("user_of", lambda _environ: None))
    connections: dict[int, Any] = {}
    server = create_server(app, connections, _dispatcher=dispatcher, **options)
    dispatcher.set_thread_count(server.adj.threads)
    listening = [each for each in connections.values() if isinstance(each, BaseWSGIServer)]
    for each in listening:
        each.channel_class = Channel
        each.settings = app.registry.settings
        log.info("Serving on http://%s:%s", each.effective_host, each.effective_port)

    poll = functools.partial(
        wasyncore.loop, 0.1, server.adj.asyncore_use_poll, connections, count=1
    )
    signal.signal(signal.SIGTERM, dispatcher.stop)
    signal.signal(signal.SIGINT, dispatcher.stop)
    try:
        while not dispatcher.stopping:
            poll()
        for each in listening:
            each.del_channel()
            each.socket.close()
        deadline = time.monotonic() + int(seconds_to_finish)
        channels = [each for each in connections.values() if isinstance(each, Channel)]
        while any(each.connected for each in channels) and time.monotonic() < deadline:
            for each in channels:
                each.will_close |= not (each.requests or each.total_outbufs_len or each.request)
            poll()
    finally:
        dispatcher.shutdown(timeout=0)
        wasyncore.close_all(connections, ignore_all=True)


def server_factory(global_config: dict[str, str], **options: str) -> Callable[[Any], None]:
    return lambda app: serve(app, **options)
