"""A server process: pserve with development.ini and the local stack."""

import os
import signal
import socket
import subprocess
import sys
import time
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import psutil
import urllib3

from jobtracker.local import CHECKOUT
from tests.common.timeouts import LONG_TIMEOUTS, http_request

SECONDS_TO_START = 120
SECONDS_TO_STOP = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """pserve with a copy of development.ini that has ports and a folder of its own."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        """:param settings: of ``[app:main]``, other than those of development.ini"""
        self.folder = folder
        self.port, self.aws_port = free_port(), free_port()
        self.ini = folder / "development.ini"
        ini = ConfigParser(interpolation=None)
        ini.read(CHECKOUT / "development.ini")
        ini["alembic"]["script_location"] = str(CHECKOUT / "migrations")
        ini["server:main"]["port"] = str(self.port)
        ini["app:main"]["local.aws_port"] = str(self.aws_port)
        ini["app:main"]["local.turnstile_port"] = str(free_port())
        ini["app:main"].update({**LONG_TIMEOUTS, **(settings or {})})
        with self.ini.open("w") as file:
            ini.write(file)
        self.process: subprocess.Popen[bytes] | None = None

    def program(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        # By the interpreter, of this checkout: it may have been moved since the installation.
        return subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, Path(sys.executable).parent / name, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            **options,
        )

    def start(self, *arguments: str) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = self.program(
                "pserve", str(self.ini), *arguments, stdout=output, stderr=output
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                assert self.call("GET", "/health") == (200, {"status": "ok"})
                return
            except urllib3.exceptions.HTTPError:
                assert self.process.poll() is None, self.output()
                assert time.monotonic() < deadline, self.output()
                time.sleep(0.1)

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(with_signal)
        self.process.wait(SECONDS_TO_STOP)

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        answer = http_request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            retries=False,
        )
        return answer.status, answer.json() if answer.data else None

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def processes(self) -> list[psutil.Process]:
        """The processes whose command line or HOME contains the folder."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ", "status"]):
            words = [*(process.info["cmdline"] or ()), (process.info["environ"] or {}).get("HOME")]
            if any(str(self.folder) in (word or "") for word in words):
                found.append(process)
        return found

    def wait_until_all_are_gone(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_STOP
        while left := self.processes():
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
