"""A server of the toy application in a process of its own."""

import json
import os
import signal
import socket
import sys
import tempfile
import time
from http.client import HTTPResponse
from typing import Any, NamedTuple

import psutil
import urllib3

from jobtracker.local import CHECKOUT
from tests.common import forks
from tests.common.api import ORIGIN
from tests.common.running_clock import running_time
from tests.common.server import free_port
from tests.common.timeouts import http_request


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ToyServer:
    """:param kind: granian or waitress
    :param options: of the server's section, other than those of tests.common.toy_app
    """

    def __init__(self, kind: str, *options: str) -> None:
        self.kind, self.port = kind, free_port()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close())
        ini = CHECKOUT / "production.ini"  # for its logging
        self.process = forks.Fork(
            [forks.TOY_APP, kind, str(self.port), str(ini), ORIGIN, *options],
            stderr=self._log,
            cwd=CHECKOUT,
            start_new_session=True,
        )
        deadline = running_time() + 20
        while not self._is_up():
            assert self.process.poll() is None, self.log()
            assert running_time() < deadline, self.log()
            time.sleep(0.02)

    def _is_up(self) -> bool:
        try:
            return self.get("/health")[0] == 200
        except urllib3.exceptions.HTTPError:
            return False

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def get(self, path: str) -> tuple[int, float]:
        """Status, and the seconds until the response."""
        began = running_time()
        response = http_request("GET", f"http://127.0.0.1:{self.port}{path}", retries=False)
        return response.status, running_time() - began

    def send(self, request: bytes, *, half_close: bool = False) -> Response:
        """The response to these bytes."""
        with self.connect() as connection:
            connection.sendall(request)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return receive(connection, request.split(b" ", 1)[0].decode("latin-1"))

    def log(self) -> str:
        # Not read(), which moves the position at which the server writes.
        return os.pread(self._log.fileno(), 16 * 1024**2, 0).decode()

    def stop(self) -> float:
        """Stop by SIGTERM, and return the seconds that takes."""
        began = running_time()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0
        return running_time() - began

    def close(self) -> None:
        """Kill the main process.

        :raises AssertionError: when a process of the server is left
        """
        self.process.kill()
        self.process.wait()
        deadline = running_time() + 5
        while left := self._processes():
            if running_time() > deadline:
                for process in left:
                    process.kill()
                raise AssertionError(f"left behind: {left}")
            time.sleep(0.02)
        sys.stderr.write(self.log())
        self._log.close()

    def _processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["status"]):
            try:
                if os.getsid(process.pid) == self.process.pid and (
                    process.info["status"] != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
            except ProcessLookupError:
                pass
        return found


def receive(connection: socket.socket, method: str = "GET") -> Response:
    """The next response on a connection."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    return Response(response.status, dict(response.getheaders()), response.read())
