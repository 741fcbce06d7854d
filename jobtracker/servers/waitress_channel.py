"""Connections of waitress whose clients cannot occupy threads, memory or the connection itself.

waitress parses and buffers in its main loop; threads run the application, and append to the buffer
of the response. By itself it receives bodies that no operation takes, runs the next pipelined
request while the response before is unread, closes no connection that is not writable, and has one
time-out, for connections without any activity.
"""

import contextlib
import functools
import math
import socket
import struct
import time
from collections.abc import Hashable, Sequence
from typing import Any

from waitress.channel import HTTPChannel

from jobtracker.errors import ApiError, BadRequest, Unavailable
from jobtracker.http.service import ThreadPool
from jobtracker.servers.limits import Limits
from jobtracker.servers.request_bodies import UNVERIFIED_BYTES
from jobtracker.servers.stopping import IN_USE_SECONDS
from jobtracker.servers.transfers import OWNERS, SLOW_RATE, Progress, owner_of
from jobtracker.servers.waitress_parser import RequestParser
from jobtracker.servers.waitress_tasks import AuthorizationTask, RejectedRequestTask, RequestTask

# Seconds for which the rest of a rejected body is received: the connection is reset otherwise, and
# the client may not see the response.
DISCARD_SECONDS = 2


class Channel(HTTPChannel):
    task_class = RequestTask
    error_task_class = RejectedRequestTask

    #: Since when, by time.time(), the rest of a body is received and discarded.
    discarding_since = 0.0
    #: When the latest response began.
    response_began = 0.0
    #: When the latest request was queued, and its response begun, by time.monotonic().
    queued_at = service_began = 0.0
    #: Whether reading waits for an AuthorizationTask.
    is_checking = False
    #: Whether a pipelined request waits until the response before it is sent.
    is_waiting = False
    #: By whom large bodies are limited.
    owner: Hashable = None
    _is_incomplete = False
    request: RequestParser | None
    close_when_flushed: bool

    def __init__(self, server: Any, *args: Any, **options: Any) -> None:
        self.parser_class = functools.partial(RequestParser, server.registry, server.limits)
        #: Of the body that is received, or of the response.
        self.progress = Progress()
        super().__init__(server, *args, **options)

    def environ_of(self, request: RequestParser) -> dict[str, str]:
        """What determines the user of a request."""
        headers = request.headers
        names = ("AUTHORIZATION", "X_FORWARDED_FOR")
        environ = {f"HTTP_{name}": headers[name] for name in names if name in headers}
        target = {"REQUEST_METHOD": request.command.upper(), "PATH_INFO": request.path_info}
        return {"REMOTE_ADDR": self.addr[0], **target, **environ}

    def set_owner(self, request: RequestParser) -> Hashable:
        """Set the owner to that of a request, and return the user by whom it is queued."""
        user: Hashable = self.server.registry["user_of"](self.environ_of(request))
        self.owner = owner_of(user)
        return user

    @property
    def thread_pool(self) -> ThreadPool | None:
        """Of the request that is to be run; None of a rejected one, and of an unknown operation."""
        request = self.requests[0]
        operation = None if request.error else request.operation
        return None if operation is None else operation.thread_pool

    @property
    def held_bytes(self) -> int:
        """Of large bodies."""
        requests = [*self.requests, *([self.request] if self.request else [])]
        sizes = [self.total_outbufs_len, *(request.size for request in requests)]
        return sum(size for size in sizes if size > UNVERIFIED_BYTES)

    def rate(self) -> float:
        """Bytes per second lately; infinity where the server, not the client, has to go on."""
        is_received = self.requests and not self.total_outbufs_len
        return math.inf if is_received else self.progress.rate()

    def received(self, data: bytes) -> bool:
        self.progress.add_progress(len(data))
        result = super().received(data)
        request = self.request
        if request is not None and request.needs_authorization:
            request.needs_authorization = False
            self.is_checking = True
            self.progress = Progress()
            self.set_owner(request)
            self.server.add_task(AuthorizationTask(self, request))
        return result

    def reject(self, request: RequestParser, error: ApiError) -> None:
        """Answer a request whose body is not complete."""
        request.reject(error)
        with self.requests_lock:
            self.request = None
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)

    @property
    def queued_seconds(self) -> float:
        """For which the latest request waited for a thread."""
        return self.service_began - self.queued_at

    def service(self) -> None:
        self.response_began = time.time()
        self.service_began = time.monotonic()
        self._is_incomplete = self.requests[0].is_incomplete
        super().service()

    def make_room(self, size: int) -> None:
        """Make room for another large body. Where there is none, slow channels are aborted: of the
        same owner beyond its part, then of all.

        :raises Unavailable: where there is still no room
        """
        channels = list(self.server.active_channels.values())
        own = [channel for channel in channels if channel.owner == self.owner]
        max_bytes = self.server.limits.buffered_bytes
        self._make_room(size, own, max(size + self.held_bytes, max_bytes // OWNERS))
        self._make_room(size, channels, max_bytes)

    def _make_room(self, size: int, among: Sequence["Channel"], max_bytes: int) -> None:
        held = size + sum(channel.held_bytes for channel in among)
        for channel in sorted(among, key=Channel.rate):
            if held <= max_bytes or channel.rate() > SLOW_RATE:
                break
            if channel.held_bytes and channel is not self:
                held -= channel.held_bytes
                channel.abort()
        if held > max_bytes:
            raise Unavailable

    def abort(self) -> None:
        """Reset the connection, in any thread; the main loop closes the channel."""
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.socket.shutdown(socket.SHUT_RDWR)

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent: int = super().send(data, do_close)
        self.progress.add_progress(sent)
        return sent

    # In the main loop:

    def readable(self) -> bool:
        return bool(self.discarding_since) or (not self.is_checking and super().readable())

    def handle_read(self) -> None:
        if not self.discarding_since:
            super().handle_read()
            return
        try:
            self.recv(self.adj.recv_bytes)  # closes at the end
        except OSError:
            self.handle_close()

    def writable(self) -> bool:
        return bool(super().writable() or self.is_waiting)

    def handle_write(self) -> None:
        if self._is_incomplete and self.close_when_flushed and not self.will_close:
            self._flush_exception(self._flush_some)
            if not self.total_outbufs_len and not self.will_close:
                self.close_when_flushed = False
                self.discarding_since = time.time()
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
            return
        super().handle_write()
        if self.is_waiting and self.connected and not self.total_outbufs_len:
            self.is_waiting = False
            self.server.add_task(self)

    def is_idle(self) -> bool:
        """Whether there is neither a complete header nor a response."""
        is_header = self.request is None or not self.request.headers_finished
        return is_header and not (self.requests or self.total_outbufs_len)

    def is_unused(self, now: float) -> bool:
        """Whether there is no request, nor one to be expected as the response before is recent."""
        is_idle = not (self.requests or self.request or self.total_outbufs_len)
        return is_idle and now - self.last_activity > IN_USE_SECONDS

    def is_stuck(self, limits: Limits, now: float) -> bool:
        """Whether the client has exceeded a limit of time."""
        if self.discarding_since:
            return now - self.discarding_since > DISCARD_SECONDS
        if self.total_outbufs_len:
            return now - self.response_began > limits.response_seconds
        if not self.is_idle():
            return False
        if self.request is not None and now - self.request.began > limits.header_seconds:
            return True
        if self.response_began:
            return now - self.response_began > self.adj.channel_timeout
        return now - self.creation_time > limits.header_seconds

    def reject_slow_body(self, limits: Limits, now: float) -> None:
        request = self.request
        if request is None or not request.headers_finished or self.is_checking:
            return
        if now - request.began > limits.body_seconds:
            self.reject(request, BadRequest())


def close_slow_channels(channels: Sequence[Channel], limits: Limits, now: float) -> None:
    """Close what has exceeded a limit of time, and idle channels while there are too many."""
    idle = [channel for channel in channels if channel.is_idle()]
    idle.sort(key=lambda channel: (channel.response_began, channel.creation_time))
    closing = {*idle[: limits.excess(len(channels))]}
    for channel in channels:
        if channel in closing or channel.is_stuck(limits, now):
            channel.abort()
            channel.handle_close()
        else:
            channel.reject_slow_body(limits, now)
