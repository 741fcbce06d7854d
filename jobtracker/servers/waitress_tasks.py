"""What the threads of waitress run: the application, the response to a rejected request, and the
verification of an access token."""

import time
from http.client import responses
from typing import TYPE_CHECKING, Any

from waitress.task import ErrorTask, WSGITask

from jobtracker.errors import CODES, ApiError, Unavailable
from jobtracker.servers import error_response, log_rejection
from jobtracker.servers.request_bodies import UNVERIFIED_BYTES
from jobtracker.servers.transfers import Progress
from jobtracker.servers.waitress_parser import RequestParser

if TYPE_CHECKING:
    from jobtracker.servers.waitress_channel import Channel

# What the access log needs.
_LOGGED_HEADERS = ("TRACEPARENT", "X_FORWARDED_FOR")


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
