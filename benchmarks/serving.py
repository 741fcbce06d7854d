"""A server under test: started, found to answer, measured in memory, stopped."""

# ruff: noqa: S603 (programs of fixed names)

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import urllib3

from jobtracker.local import CHECKOUT

SECONDS_TO_START = 30
SECONDS_TO_STOP = 20
BIN = Path(sys.executable).parent


@dataclass
class Server:
    """A process, and its workers."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[psutil.Process]:
        """The first process and all that it started."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def memory(self) -> list[tuple[int, int]]:
        """Proportional and resident bytes of each process, the largest first."""
        found = [process.memory_full_info() for process in self.processes()]
        return sorted(((info.pss, info.rss) for info in found), reverse=True)

    def told(self) -> str:
        """What it said so far."""
        return self.output.read_text(errors="replace")


@contextlib.contextmanager
def serving(
    name: str,
    command: Sequence[str | Path],
    port: int,
    folder: Path,
    environment: Mapping[str, str],
) -> Iterator[Server]:
    """Start the command and wait until ``GET /health`` is answered; stop it at the end."""
    output = folder / f"{name}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(name, port, process, output)
    try:
        _wait_until_it_answers(server)
        yield server
    finally:
        stop(server)


def stop(server: Server) -> None:
    """As an init system would: SIGTERM, and after a while SIGKILL, also to what it left behind."""
    try:
        family = server.processes()
    except psutil.NoSuchProcess:
        return
    server.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(SECONDS_TO_STOP)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    server.process.wait()


def _wait_until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            answer = urllib3.request("GET", f"{server.url}/health", retries=False, timeout=2)
        except urllib3.exceptions.HTTPError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server.name} does not start:\n{server.told()}") from None
            time.sleep(0.1)
        else:
            if answer.status != 200:
                raise RuntimeError(f"{server.name} answers /health with {answer.status}")
            return
