"""Granian: several processes, and HTTP/1 in Rust. docs/decisions/asgi-adapter.md has the reasons.

Used through ASGI: the event loop reads the body, and a thread gets complete requests only, so slow
clients occupy no thread.
"""

import contextlib
import functools
import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.server import Server
from pyramid.paster import setup_logging
from pyramid.settings import asbool

from jobtracker.errors import ApiError
from jobtracker.servers import asgi, error_response
from jobtracker.servers.cpu_affinity import available_cpus, pin_to_cpu
from jobtracker.servers.thread_pool import WorkerThreads

log = logging.getLogger(__name__)

# Seconds after which a waiting thread requests the interpreter lock; Python's default is 0.005.
SWITCH_INTERVAL = 0.02

# Granian's own loggers write to the handlers of the ini file.
TO_ROOT = {"handlers": [], "propagate": True}
LOGGING = {"handlers": {}, "loggers": {"_granian": TO_ROOT, "granian.access": TO_ROOT}}


def server_factory(
    global_config: dict[str, str],
    *,
    host: str = "127.0.0.1",
    port: str = "6543",
    workers: str = "",
    cpu_affinity: str = "false",
    threads: str = "2",
    max_threads: str = "8",
    write_threads: str = "8",
    gateway_threads: str = "8",
    connection_limit: str = "5000",
    idle_seconds: str = "75",
    body_seconds: str = "30",
    max_request_body_size: str = "8388608",
    seconds_to_finish: str = "10",
) -> Callable[[Any], None]:
    """A server for PasteDeploy. All settings are described in production.ini."""
    ini = global_config["__file__"]
    threads_of = {  # by ThreadPool: at first, and at most
        "read": (int(threads), int(max_threads)),
        "write": (int(write_threads), int(write_threads)),
        "gateway": (int(gateway_threads), int(gateway_threads)),
        "health": (1, 1),
    }
    body_limits = {"max_bytes": int(max_request_body_size), "timeout": float(body_seconds)}

    def serve(app: Any) -> None:
        # Workers are forks: they share the application's memory. It has no connection to anything
        # yet, and no thread.
        multiprocessing.set_start_method("fork", force=True)
        server = Server(
            target=ini,
            address=host,
            port=int(port),
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            runtime_mode=RuntimeModes.st,
            workers=int(workers or available_cpus()),
            backpressure=int(connection_limit),
            http1_settings=HTTP1Settings(header_read_timeout=int(idle_seconds) * 1000),
            websockets=False,
            log_dictconfig=LOGGING,
            workers_kill_timeout=int(seconds_to_finish),
            respawn_failed_workers=True,
        )
        setup_logging(ini)  # Granian has replaced it by its own
        freeze_gc()

        def start_worker() -> Callable[..., Any]:
            setup_logging(ini)  # as above, in each worker
            if asbool(cpu_affinity):
                pin_to_cpu()  # before any thread is started
            end_with_parent(int(seconds_to_finish))
            reduce_switching()
            return asgi_application(app, threads_of, body_limits)

        server.serve(target_loader=start_worker, wrap_loader=False)

    return serve


def asgi_application(
    wsgi: Any, threads_of: dict[str, tuple[int, int]], body_limits: dict[str, Any]
) -> Callable[..., Any]:
    """An ASGI application that responds to rejected requests without calling the application."""
    registry = wsgi.registry
    pools = {name: WorkerThreads(*sizes) for name, sizes in threads_of.items()}
    user_of = registry.get("user_of", lambda _environ: None)

    def send_error(status: int, environ: dict[str, Any], send: Any) -> None:
        origin, request_id = environ.get("HTTP_ORIGIN", ""), environ.get("HTTP_X_REQUEST_ID", "")
        asgi.send_response(send, *error_response(status, registry.settings, origin, request_id))

    def respond(environ: dict[str, Any], send: Any) -> None:
        try:
            asgi.send_response(send, *asgi.call_application(wsgi, environ))
        except Exception:
            log.exception("Unexpected error in the application")
            send_error(500, environ, send)

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        environ = asgi.make_environ(scope)
        try:
            asgi.check_request(environ)
            if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
                asgi.set_body(environ, await asgi.read_body(environ, receive, **body_limits))
        except ApiError as error:
            send_error(error.status, environ, send)
        else:
            pool = registry["thread_pool_for"](environ["REQUEST_METHOD"], environ["PATH_INFO"])
            user = user_of(environ) if pool != "health" else None
            refuse = functools.partial(send_error, 429, environ, send)
            await pools[pool].run(functools.partial(respond, environ, send), user, refuse)

    return application


def end_with_parent(seconds_to_finish: int) -> None:
    """Stop this worker when the main process ends without stopping its workers."""

    def wait() -> None:
        if (parent := multiprocessing.parent_process()) is not None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(seconds_to_finish)
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def reduce_switching() -> None:
    """Let threads run for longer before others preempt them, within Python and by the kernel.

    Requests are short, and each switch of threads costs more than it gains: benchmarks/README.md.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    if hasattr(os, "sched_setscheduler"):  # https://man7.org/linux/man-pages/man7/sched.7.html
        with contextlib.suppress(OSError):  # forbidden in some containers
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def freeze_gc() -> None:
    """Exclude the objects of the application from garbage collection, and collect less often.

    What the collector does not visit it does not write to, so workers go on sharing that memory.
    """
    gc.collect()
    gc.freeze()
    # Allocations, less deallocations; Python's default is 700, which is a few requests.
    gc.set_threshold(5_000, 10, 10)
