"""waitress with metrics: its responses are counted."""

import time
from typing import Any

from jobtracker.errors import RateLimited
from jobtracker.servers.waitress_channel import Channel
from jobtracker.servers.waitress_tasks import RejectedRequestTask, RequestTask

#: The label of the thread pool, in which are the requests of all.
POOL = "all"


class MeasuredRequestTask(RequestTask):
    def build_response_header(self) -> bytes:
        observe(self)
        return super().build_response_header()


class MeasuredRejectedRequestTask(RejectedRequestTask):
    def build_response_header(self) -> bytes:
        if isinstance(self.request.error, RateLimited):
            self.channel.metrics.count_queue_limit()
        observe(self)
        return super().build_response_header()


class MeasuredChannel(Channel):
    task_class = MeasuredRequestTask
    error_task_class = MeasuredRejectedRequestTask

    @property
    def metrics(self) -> Any:
        """Those of this process: :class:`~jobtracker.metrics.definitions.Metrics`."""
        return self.server.metrics


def observe(task: MeasuredRequestTask | MeasuredRejectedRequestTask) -> None:
    channel = task.channel
    request = channel.requests[0]
    environ = {"REQUEST_METHOD": "", "PATH_INFO": ""}
    if hasattr(request, "path"):  # otherwise its first line is malformed
        environ = {"REQUEST_METHOD": request.command.upper(), "PATH_INFO": request.path_info}
        environ["jobtracker.operation"] = request.operation
    seconds = None
    if not request.error:
        seconds = channel.queued_seconds, time.monotonic() - channel.service_began
    channel.metrics.observe_request(environ, int(task.status.split()[0]), POOL, seconds)
