"""waitress in several forked processes that share a listening socket: a ``paste.server_factory``.

waitress itself is one process. Each child makes an application of its own, so that no database
connections are shared.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import waitress
from pyramid.paster import get_app


def server_factory(
    global_conf: dict[str, str], *, host: str, port: str, workers: str = "2", **options: str
) -> Callable[[Any], None]:
    listening = socket.create_server((host, int(port)), backlog=1024)
    listening.setblocking(False)

    def serve(_app: Any) -> None:
        children = [
            _fork_child(global_conf["__file__"], listening, options) for _ in range(int(workers))
        ]

        def stop(*_: object) -> None:
            for child in children:
                os.kill(child, signal.SIGTERM)

        signal.signal(signal.SIGTERM, stop)
        listening.close()
        for child in children:
            os.waitpid(child, 0)

    return serve


def _fork_child(ini: str, listening: socket.socket, options: dict[str, str]) -> int:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, _exit)
        server = waitress.create_server(get_app(ini), sockets=[listening], **options)
        server.run()
        os._exit(0)
    return pid


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit()  # at a SystemExit waitress waits for its threads
