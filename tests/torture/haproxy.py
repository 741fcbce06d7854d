"""HAProxy with deploy/haproxy.cfg."""

import csv
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobtracker.local import CHECKOUT
from jobtracker.local.process import wait_until
from tests.common.proxy import HOST
from tests.common.server import free_port

PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
REASON = "HAProxy is not installed: apt-get install haproxy"
CONFIGURATION = CHECKOUT / "deploy" / "haproxy.cfg"
SECONDS_TO_START = 10
SECONDS_TO_BE_UP = 30


class HAProxy:
    """:param ports: of the instances a and b"""

    def __init__(self, folder: Path, ports: tuple[int, int]) -> None:
        self.port = free_port()
        self._socket = folder / "haproxy.sock"
        self._log = folder / "haproxy.log"
        a, b = (f"{HOST}:{port}" for port in ports)
        self._environment = {
            "JOBTRACKER_BIND": f"{HOST}:{self.port}",
            "JOBTRACKER_A": a,
            "JOBTRACKER_B": b,
            "HAPROXY_SOCKET": str(self._socket),
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        assert PROGRAM is not None, REASON
        with self._log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [PROGRAM, "-db", "-f", CONFIGURATION], env=self._environment, stdout=log, stderr=log
            )
        try:
            assert wait_until(self._socket.exists, SECONDS_TO_START), self._log.read_text()
            for name in ("a", "b"):
                self.wait_until_up(name)
            yield
        finally:
            process.kill()
            process.wait()

    def wait_until_up(self, name: str) -> None:
        """Wait until the instance is ready, as HAProxy has found."""
        assert wait_until(lambda: self._status(name) == "UP", SECONDS_TO_BE_UP), self._stats()

    def _status(self, name: str) -> str:
        (status,) = (
            row["status"].partition(" ")[0]
            for row in csv.DictReader(self._stats().splitlines())
            if (row["# pxname"], row["svname"]) == ("ready", name)
        )
        return status

    def _stats(self) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(b"show stat\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
