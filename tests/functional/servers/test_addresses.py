"""The address of a server: refused while another one has it, and free once that has ended."""

import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import psutil
import pytest

from jobtracker.local import CHECKOUT
from tests.common.api import ORIGIN
from tests.common.toy_server import ToyServer


def wait_until_free(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize("kind", ["granian", "waitress"])
def test_taken_port_stops_the_start_with_one_line(server: ToyServer, kind: str):
    ini = CHECKOUT / "production.ini"
    program = ["-m", "tests.common.toy_app", kind, str(server.port), str(ini), ORIGIN]
    stopped = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, *program],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert stopped.returncode == 1
    (line,) = stopped.stderr.splitlines()
    assert line.startswith(f"Setting port: cannot listen on 127.0.0.1:{server.port}: ")
    assert server.get("/health")[0] == 200


@pytest.mark.parametrize(("kind", "number"), [("granian", 1), ("granian", 3), ("waitress", 0)])
def test_port_is_free_after_the_main_process_was_killed_with_busy_workers(
    kind: str, number: int, request: pytest.FixtureRequest
):
    server = ToyServer(kind, *([f"workers={number}"] if number else []))
    request.addfinalizer(server.close)
    with ExitStack() as busy:
        for _ in range(9):
            connection = busy.enter_context(server.connect())
            connection.sendall(b"GET /sleep/100 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        workers = server.workers()
        assert len(workers) == number
        server.process.send_signal(signal.SIGKILL)
        _gone, alive = psutil.wait_procs(workers, timeout=20)
        assert not alive
        wait_until_free(server.port)
