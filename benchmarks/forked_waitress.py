"""waitress in several processes, on one socket: a ``paste.server_factory`` for the comparison.

waitress itself is one process. The socket is opened first, and each child makes an application of
its own, whose connections to the database nobody shares.
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
            _child(global_conf["__file__"], listening, options) for _ in range(int(workers))
        ]

        def end(*_: object) -> None:
            for child in children:
                os.kill(child, signal.SIGTERM)

        signal.signal(signal.SIGTERM, end)
        listening.close()
        for child in children:
            os.waitpid(child, 0)

    return serve


def _child(ini: str, listening: socket.socket, options: dict[str, str]) -> int:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, _leave)
        server = waitress.create_server(get_app(ini), sockets=[listening], **options)
        server.run()
        os._exit(0)
    return pid


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit()  # waitress lets its threads finish when it meets a SystemExit
