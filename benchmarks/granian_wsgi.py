"""Granian as a WSGI server, started by ``pserve``: a ``paste.server_factory``.

::

    [server:main]
    paste.server_factory = benchmarks.granian_wsgi:server_factory
    host = 127.0.0.1
    port = 6543
    workers = 2
    threads = 8

Each worker makes an application of its own, so that no database connections are shared. That of
pserve only validates the settings before any worker starts.
"""

import functools
import multiprocessing
from collections.abc import Callable
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server import Server
from pyramid.paster import get_app, setup_logging

from jobtracker.servers.granian_server import LOGGING


def server_factory(
    global_conf: dict[str, str],
    *,
    host: str = "127.0.0.1",
    port: str = "6543",
    workers: str = "1",
    threads: str = "8",
    backlog: str = "1024",
    connection_limit: str = "5000",
    start_method: str = "",
    kill_timeout: str = "30",
) -> Callable[[Any], None]:
    ini = global_conf["__file__"]

    def serve(_app: Any) -> None:
        if start_method:
            multiprocessing.set_start_method(start_method, force=True)
        server = Server(
            target=ini,
            address=host,
            port=int(port),
            interface=Interfaces.WSGI,
            workers=int(workers),
            blocking_threads=int(threads),
            backlog=int(backlog),
            # Connections, idle ones included; further ones wait until one is closed.
            backpressure=int(connection_limit),
            http1_settings=HTTP1Settings(header_read_timeout=10_000),
            websockets=False,
            log_dictconfig=LOGGING,
            workers_kill_timeout=int(kill_timeout),
            respawn_failed_workers=True,
        )
        setup_logging(ini)  # Granian has replaced it by its own
        server.serve(target_loader=functools.partial(application, ini), wrap_loader=False)

    return serve


def application(ini: str) -> Any:
    """Make the application of an ini file in a worker."""
    setup_logging(ini)
    return get_app(ini)
