"""The exporter: files and address in the main process, measurements in the workers."""

import errno
import functools
import logging
import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from jobtracker.metrics.definitions import Metrics
from jobtracker.metrics.families import Families
from jobtracker.metrics.files import MetricFiles
from jobtracker.metrics.instrumentation import instrument
from jobtracker.metrics.listener import Listener
from jobtracker.metrics.sampler import INTERVAL, PoolState, Sampler, ServerState
from jobtracker.settings import InvalidSettings

log = logging.getLogger(__name__)

SETTING = "metrics.listen"


class Exporter:
    """Made before the workers are; the servers find it as ``registry["metrics"]``.

    :raises InvalidSettings: when the address is in use, or there is no temporary folder
    """

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self._socket = _listen(*registry.settings[SETTING])
        try:
            self._files = MetricFiles()
        except OSError as error:
            reason = f"there is no temporary folder for the metrics (TMPDIR): {error.strerror}"
            raise InvalidSettings((SETTING, reason)) from None
        self._alive: Callable[[], Collection[int]] = lambda: ()
        self._output = CollectorRegistry()
        self._output.register(self)

    def start_worker(self, worker: int) -> Metrics:
        """In a worker, before its first request: measure what it does.

        :param worker: its number, which one that is respawned takes over
        """
        families = Families(functools.partial(self._files.open, worker))
        metrics = Metrics(families, self._registry["find_route"])
        metrics.worker_starts[str(worker),].inc()
        instrument(self._registry, metrics)
        return metrics

    def start_sampling(
        self,
        worker: int,
        metrics: Metrics,
        pools: Mapping[str, PoolState],
        connections: Callable[[], int],
        held_bytes: Callable[[], int],
    ) -> None:
        """In a worker: set the gauges from now on, in a thread."""
        state = ServerState(pools, connections, held_bytes)
        Sampler(self._registry, metrics, state, reads_backlog=worker == 0).start()

    def close_listener(self) -> None:
        """In a worker that is a fork: the address is the main process's."""
        self._socket.close()

    def listen(self, alive: Callable[[], Collection[int]]) -> None:
        """In the main process: answer scrapes from now on, in a thread."""
        self._alive = alive
        host, port = self._socket.getsockname()[:2]
        log.info("Metrics on http://%s:%d/metrics", f"[{host}]" if ":" in host else host, port)
        Listener(self._socket, lambda: generate_latest(self._output), delay=2 * INTERVAL).start()

    def collect(self) -> Iterable[Metric]:
        """The metrics of all workers, for prometheus_client."""
        alive = self._alive()
        yield from self._files.collect(alive)
        yield GaugeMetricFamily("jobtracker_workers", "Workers that run.", len(alive))
        info = GaugeMetricFamily("jobtracker_build_info", "The version.", labels=["version"])
        info.add_metric([self._registry["openapi_document"]["info"]["version"]], 1)
        yield info

    def describe(self) -> Iterable[Metric]:
        """Nothing: there is no file yet when this is registered."""
        return ()


def _listen(host: str, port: int) -> socket.socket:
    """:raises InvalidSettings: when the address is in use, or not one of this machine"""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _type, _protocol, _name, address = found[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        # Without what Python adds; getaddrinfo() has numbers of its own.
        number = error.errno if isinstance(error, OSError) else None
        is_known = number is not None and number in errno.errorcode
        reason = os.strerror(number or 0) if is_known else "it is not known"
        hint = "Stop what listens there, or change the setting"
        raise InvalidSettings(
            (SETTING, f"cannot listen on {host}:{port}: {reason}. {hint}")
        ) from None
