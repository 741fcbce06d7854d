"""A server under test: start, wait until it is ready, measure its memory, stop."""

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
    """A main process with its workers."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[psutil.Process]:
        """The main process and all of its descendants."""
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def memory(self) -> list[tuple[int, int]]:
        """PSS and RSS of each process in bytes, the largest first."""
        infos = [process.memory_full_info() for process in self.processes()]
        return sorted(((info.pss, info.rss) for info in infos), reverse=True)

    def read_output(self) -> str:
        """Its standard output and error so far."""
        return self.output.read_text(errors="replace")


@contextlib.contextmanager
def run_server(
    name: str, command: Sequence[str | Path], port: int, folder: Path, variables: Mapping[str, str]
) -> Iterator[Server]:
    """Start a server and wait until ``GET /health`` succeeds; stop it at the end.

    :param variables: additional environment variables
    :raises RuntimeError: when it does not start
    """
    output = folder / f"{name}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(name, port, process, output)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        stop(server)


def stop(server: Server) -> None:
    """Send SIGTERM, and after a time-out SIGKILL to all processes that are left."""
    try:
        processes = server.processes()
    except psutil.NoSuchProcess:
        return
    server.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(SECONDS_TO_STOP)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    server.process.wait()


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            response = urllib3.request("GET", f"{server.url}/health", retries=False, timeout=2)
        except urllib3.exceptions.HTTPError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                output = server.read_output()
                raise RuntimeError(f"{server.name} does not start:\n{output}") from None
            time.sleep(0.1)
        else:
            if response.status != 200:
                raise RuntimeError(f"{server.name}: GET /health is {response.status}")
            return
