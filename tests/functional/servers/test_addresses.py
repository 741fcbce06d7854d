"""The address of a server: refused while another one has it, and free once that has ended."""

import json
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from jobtracker.local import CHECKOUT
from tests.common import forks
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


@pytest.mark.parametrize(("section", "setting"), [("main", "port"), ("waitress", "listen")])
def test_taken_port_stops_pserve_with_one_line(
    server: ToyServer, section: str, setting: str, tmp_path: Path
):
    ini = tmp_path / "production.ini"
    text = (CHECKOUT / "production.ini").read_text()
    ini.write_text(text.replace("6543", str(server.port)))
    stopped = forks.run(forks.PSERVE, ini, "--server-name", section)
    assert stopped.returncode == 1
    (line,) = stopped.stderr.splitlines()
    message = json.loads(line)["message"]
    assert message.startswith(f"Setting {setting}: cannot listen on 0.0.0.0:{server.port}: ")
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
