"""Connections of waitress whose clients cannot occupy threads, memory or the connection itself.

waitress parses and buffers in its main loop; threads run the application, and append to the buffer
of the response. By itself it receives bodies that no operation takes, runs the next pipelined
request while the response before is unread, closes no connection that is not writable, and has one
time-out, for connections without any activity.
"""

import contextlib
import copy
import functools
import math
import re
import socket
import struct
import time
from collections.abc import Hashable, Sequence
from http.client import responses
from typing import Any

from pyramid.registry import Registry
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask, WSGITask

from jobtracker.errors import CODES, ApiError, BadRequest, Unavailable
from jobtracker.http.links import without_prefix
from jobtracker.http.service import Operation, ThreadPool
from jobtracker.servers import check_host, error_response, log_rejection
from jobtracker.servers.limits import Limits
from jobtracker.servers.request_bodies import UNVERIFIED_BYTES, max_body_bytes, needs_authorization
from jobtracker.servers.stopping import IN_USE_SECONDS
from jobtracker.servers.transfers import OWNERS, SLOW_RATE, Progress, owner_of

# Seconds for which the rest of a rejected body is received: the connection is reset otherwise, and
# the client may not see the response.
DISCARD_SECONDS = 2

# What the access log needs.
_LOGGED_HEADERS = ("TRACEPARENT", "X_FORWARDED_FOR")

_ORIGIN = re.compile(rb"^Origin:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class RequestParser(HTTPRequestParser):
    """Decides what to receive of a body when the header is complete."""

    #: Whether the access token is verified before the rest of the body is received.
    needs_authorization = False
    #: Whether some of the body is not received.
    is_incomplete = False
    adj: Any
    body_rcv: Any
    #: The maximum size of the body, its length if that is known.
    size = 0

    def __init__(self, registry: Registry, limits: Limits, adj: Any) -> None:
        super().__init__(adj)
        self._registry = registry
        self._limits = limits
        self.began = time.time()

    def received(self, data: bytes) -> int:
        is_header = not self.headers_finished
        header = self.header_plus + data if is_header else b""
        consumed = super().received(data)
        if is_header and self.headers_finished and not (self.error or self.empty):
            try:
                self._check_header()
            except ApiError as error:
                self.reject(error)
        if self.error:
            self.expect_continue = False  # otherwise waitress goes on receiving
            self.is_incomplete = True
            # waitress does not parse a header that is too large, nor one after a malformed line.
            if "ORIGIN" not in self.headers and (origin := _ORIGIN.search(header)):
                self.headers["ORIGIN"] = origin[1].strip().decode("latin-1")
        return consumed

    def _check_header(self) -> None:
        self.began = time.time()  # of the body
        check_host(self.headers.get("HOST", ""), f"HTTP/{self.version}")
        # Of two framings a proxy can have chosen the other one: what follows can be of the body
        # (RFC 9112, 6.1). waitress ignores the transfer coding of HTTP/1.0.
        names = self.headers.keys()
        if "TRANSFER_ENCODING" in names or (self.chunked and "CONTENT_LENGTH" in names):
            self.connection_close = True
        if self.body_rcv is None:
            return
        operation = self.operation
        if operation is None:  # the application answers 404 or 405, whatever the body
            self.body_rcv = None
            self.is_incomplete = self.completed = self.connection_close = True
            self.expect_continue = False
            self.headers["CONTENT_LENGTH"] = "0"
            self.headers["CONNECTION"] = "close"
            return
        length = None if self.chunked else self.content_length
        limit = max_body_bytes(operation, length, self._limits.body_bytes)
        self.adj = copy.copy(self.adj)
        self.adj.max_request_body_size = limit + 1  # waitress rejects what is not less
        self.size = limit if length is None else length
        self.needs_authorization = needs_authorization(operation, self.size)

    @property
    def path_info(self) -> str:
        """The path as waitress passes it on: its setting ``url_prefix`` becomes SCRIPT_NAME."""
        return without_prefix("/" + self.path.lstrip("/"), self.adj.url_prefix)

    @property
    def operation(self) -> Operation | None:
        """What is requested; None if there is no such operation."""
        operation: Operation | None = self._registry["find_operation"](self.command, self.path_info)
        return operation

    def reject(self, error: ApiError) -> None:
        self.error = error
        self.completed = self.is_incomplete = True
        self.expect_continue = False


class RequestTask(WSGITask):
    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ["jobtracker.queued_seconds"] = self.channel.queued_seconds
        return environ

    def execute(self) -> None:
        try:
            super().execute()
        except Unavailable as error:  # of write()
            if self.wrote_header:
                self.channel.abort()
            else:
                send_error(self, error)

    def write(self, data: bytes) -> None:
        if len(data) + self.channel.total_outbufs_len > UNVERIFIED_BYTES:
            self.channel.make_room(len(data))
            if not self.wrote_header:
                self.channel.progress = Progress()
        super().write(data)

    @property
    def has_body(self) -> bool:
        # waitress ends the body of a streamed response to HEAD, which has none.
        is_streamed_head = self.content_length is None and self.request.command.upper() == "HEAD"
        return bool(super().has_body) and not is_streamed_head

    def build_response_header(self) -> bytes:
        is_draining = self.channel.server.task_dispatcher.shutting_down.is_draining()
        if is_draining or self.request.connection_close:
            self.request.headers["CONNECTION"] = "close"
            super().set_close_on_finish()
        return super().build_response_header()

    def set_close_on_finish(self) -> None:
        # waitress closes where there is no Content-Length, even if the status allows no body.
        if self.has_body or self.version == "1.0" or self.request.connection_close:
            super().set_close_on_finish()


class RejectedRequestTask(ErrorTask):
    def execute(self) -> None:
        error = self.request.error
        if not isinstance(error, ApiError):  # of waitress
            error = ApiError(status=error.code if error.code in CODES else 400)
        send_error(self, error)


def send_error(task: WSGITask | ErrorTask, error: ApiError) -> None:
    # Not task.request: waitress makes an empty one for an error of the application.
    request, registry = task.channel.requests[0], task.channel.server.registry
    headers = request.headers
    response = error_response(
        error, registry.settings, headers.get("ORIGIN", ""), headers.get("X_REQUEST_ID", "")
    )
    has_path = bool(getattr(request, "path", ""))  # otherwise the header is malformed
    environ = {
        "REQUEST_METHOD": request.command.upper() if has_path else "",
        "PATH_INFO": request.path_info if has_path else "",
        "REMOTE_ADDR": task.channel.addr[0],
        **{f"HTTP_{name}": headers[name] for name in _LOGGED_HEADERS if name in headers},
    }
    log_rejection(environ, registry, error, response, time.time() - request.began)
    status, task.response_headers, body = response
    task.status = f"{status} {responses[status]}"
    task.set_close_on_finish()
    task.content_length = len(body)
    task.write(body)


class AuthorizationTask:
    """Verifies the access token of a request, whose large body is received only after that."""

    def __init__(self, channel: "Channel", request: RequestParser) -> None:
        self._channel = channel
        self._request = request

    def service(self) -> None:
        channel, request = self._channel, self._request
        try:
            environ = channel.environ_of(request)
            channel.server.registry["check_authorization"](environ)
            channel.set_owner(request)  # of a token that is verified now
            channel.make_room(0)  # its own size is counted already
        except ApiError as error:
            channel.reject(request, error)
        finally:
            channel.is_checking = False
            channel.server.pull_trigger()

    def cancel(self) -> None:
        """Nothing is to be undone."""


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
