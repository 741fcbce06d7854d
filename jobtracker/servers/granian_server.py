"""Granian: several processes, and HTTP/1 in Rust. docs/decisions/asgi-adapter.md has the reasons.

Used through ASGI: the event loop reads the body, and a thread gets complete requests only, so slow
clients occupy no thread.
"""

import functools
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import granian._signals
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from pyramid.paster import setup_logging

from jobtracker.logs.uncaught import log_and_exit, log_uncaught, logged_exit
from jobtracker.servers import check_environment, limit_malloc, start_traces
from jobtracker.servers.addresses import reserve
from jobtracker.servers.asgi_application import ASGIApplication
from jobtracker.servers.connections import ConnectionWatch
from jobtracker.servers.cpu_affinity import available_cpus, pin_to_cpu
from jobtracker.servers.granian_signals import DrainingServer, handle_signals
from jobtracker.servers.limits import Limits
from jobtracker.servers.measured_granian import MeasuredApplication, MeasuredServer
from jobtracker.servers.options import from_strings
from jobtracker.servers.stopping import Shutdown

# Seconds after which a waiting thread requests the interpreter lock; Python's default is 0.005.
SWITCH_INTERVAL = 0.02

# Seconds between two looks at whether the main process runs.
PARENT_INTERVAL = 0.5

# Granian's own loggers write to the handlers of the ini file.
TO_ROOT = {"handlers": [], "propagate": True}
LOGGING = {"handlers": {}, "loggers": {"_granian": TO_ROOT, "granian.access": TO_ROOT}}


@logged_exit()
@from_strings
def server_factory(
    global_config: dict[str, str],
    *,
    host: str = "127.0.0.1",
    port: str = "6543",
    workers: int = 0,
    cpu_affinity: bool = False,
    threads: int = 2,
    max_threads: int = 8,
    write_threads: int = 12,
    gateway_threads: int = 8,
    connection_limit: int = 5000,
    idle_seconds: float = 75.0,
    header_seconds: float = 15.0,
    body_seconds: float = 30.0,
    response_seconds: float = 60.0,
    max_request_body_size: int = 4194304,
    max_request_header_size: int = 32768,
    max_buffered_bytes: int = 33554432,
    drain_seconds: float = 0.0,
    seconds_to_finish: float = 10.0,
) -> Callable[[Any], None]:
    """A server for PasteDeploy. All settings are described in production.ini."""
    ini = global_config["__file__"]
    threads_of = {  # by ThreadPool: at first, and at most
        "read": (threads, max_threads),
        "write": (write_threads, write_threads),
        "gateway": (gateway_threads, gateway_threads),
        "health": (1, 1),
        "readiness": (1, 1),
    }
    limits = Limits(
        connections=connection_limit,
        body_bytes=max_request_body_size,
        buffered_bytes=max_buffered_bytes,
        header_seconds=header_seconds,
        body_seconds=body_seconds,
        response_seconds=response_seconds,
    )
    address, reservation = reserve(host, port)
    shutdown = Shutdown()

    def serve(app: Any) -> None:
        check_environment(app.registry.settings, [host], limits.connections)
        app.registry["is_draining"] = shutdown.is_draining
        # Workers are forks: they share the application's memory. It has no connection to anything
        # yet, and no thread.
        multiprocessing.set_start_method("fork", force=True)
        metrics = app.registry.get("metrics")
        make_server = (
            DrainingServer if metrics is None else functools.partial(MeasuredServer, metrics)
        )
        server = make_server(
            shutdown,
            drain_seconds,
            target=ini,
            address=address,
            port=int(port),
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            runtime_mode=RuntimeModes.st,
            workers=workers or available_cpus(),
            backpressure=limits.connections,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(idle_seconds * 1000),
                max_buffer_size=max_request_header_size,
            ),
            websockets=False,
            log_dictconfig=LOGGING,
            workers_kill_timeout=int(seconds_to_finish),
            respawn_failed_workers=True,
        )
        main_process = os.getpid()
        setup_logging(ini)  # Granian has replaced it by its own
        log_uncaught()
        freeze_gc()

        def start_worker(number: int = 0) -> Callable[..., Any]:
            setup_logging(ini)  # as above, in each worker
            log_uncaught()
            try:
                return make_application(number)
            except Exception:
                log_and_exit()

        def make_application(number: int) -> ASGIApplication:
            if cpu_affinity:
                pin_to_cpu()  # before any thread is started
            limit_malloc()
            start_traces(app.registry)
            end_with(main_process, shutdown, seconds_to_finish)
            reduce_switching()
            watch = ConnectionWatch(int(port), limits)
            if sys.platform == "linux":
                watch.start()
            # Granian has no hook for the signals of a worker, which it handles next.
            granian._signals.set_loop_signals = functools.partial(
                handle_signals, shutdown=shutdown, watch=watch
            )
            if metrics is None:
                return ASGIApplication(app, threads_of, limits, watch, shutdown)
            metrics.close_listener()
            application = MeasuredApplication(
                metrics.start_worker(number), app, threads_of, limits, watch, shutdown
            )
            metrics.start_sampling(
                number,
                application.metrics,
                application.pools,
                lambda: watch.open,
                lambda: application.transfers.bytes,
            )
            return application

        with reservation:
            server.serve(target_loader=start_worker, wrap_loader=False)

    return serve


def end_with(main_process: int, shutdown: Shutdown, seconds_to_finish: float) -> None:
    """Stop this worker when the main process ends without stopping its workers.

    The pipe of multiprocessing.parent_process() is open in workers that were started later, too:
    they would end one after the other.
    """

    def wait() -> None:
        while os.getppid() == main_process:
            time.sleep(PARENT_INTERVAL)
        shutdown.close()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(seconds_to_finish)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def reduce_switching() -> None:
    """Let threads run for longer before others preempt them, within Python.

    Requests are short, and each switch of threads costs more than it gains. Not by the scheduling
    policy SCHED_BATCH, with which requests wait for whatever else computes: benchmarks/README.md.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)


def freeze_gc() -> None:
    """Exclude the objects of the application from garbage collection, and collect less often.

    What the collector does not visit it does not write to, so workers go on sharing that memory.
    """
    gc.collect()
    gc.freeze()
    # Allocations, less deallocations; Python's default is 700, which is a few requests.
    gc.set_threshold(5_000, 10, 10)
