"""``drain_seconds``, and what a stop does with kept-alive connections."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from jobtracker.local.process import wait_until
from tests.common.running_clock import running_time
from tests.common.toy_server import Response, ToyServer, receive

KEPT = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
PROBE = b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n"
SECONDS = 10


def closes(response: Response) -> bool:
    """Whether the response closes its connection; Granian adds a keep-alive for HTTP/1.0."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return "close" in headers.get("connection", "").split(", ")


def is_draining(server: ToyServer) -> bool:
    return server.send(PROBE).status == 503


def listens(server: ToyServer) -> bool:
    with contextlib.suppress(OSError):
        server.connect().close()
        return True
    return False


def begin_to_drain(server: ToyServer, send: Callable[[], None] | None = None) -> None:
    assert not is_draining(server)
    (send or server.process.terminate)()
    assert wait_until(lambda: is_draining(server), SECONDS)


@pytest.mark.parametrize("draining", [1.5], indirect=True)
def test_draining_server_serves_and_closes_connections_by_their_next_response(draining: ToyServer):
    with draining.connect() as kept, draining.connect() as idle:
        for connection in (kept, idle):
            connection.sendall(KEPT)
            assert not closes(receive(connection))
        begin_to_drain(draining)
        kept.sendall(KEPT)
        response = receive(kept)
        assert (response.status, closes(response)) == (200, True)
        assert kept.recv(1) == b""
        for request in (KEPT, b"GET /unknown HTTP/1.1\r\n\r\n"):  # on new connections
            assert closes(draining.send(request))
        with draining.connect() as old:
            old.sendall(b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert closes(receive(old))
            assert old.recv(1) == b""
        began = running_time()
        assert idle.recv(1) == b""  # not a reset
        assert running_time() - began < SECONDS
    assert draining.process.wait(SECONDS) == 0
    with pytest.raises(ConnectionRefusedError):
        draining.connect()


@pytest.mark.parametrize("draining", [0], indirect=True)
def test_request_of_a_connection_in_use_is_not_lost_by_a_stop(draining: ToyServer):
    """By default, without draining. Each client sends its next request as soon as it can."""
    responses: list[Response] = []

    def use() -> None:
        with draining.connect() as connection:
            while True:
                connection.sendall(KEPT)
                responses.append(receive(connection))
                if closes(responses[-1]):
                    return

    with ThreadPoolExecutor(10) as threads:
        running = [threads.submit(use) for _ in range(10)]
        assert wait_until(lambda: len(responses) > 200, SECONDS)
        assert draining.stop() < SECONDS
        for each in running:
            each.result()
    assert {response.status for response in responses} == {200}


@pytest.mark.parametrize("draining", [60], indirect=True)
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_at_once(draining: ToyServer, second: signal.Signals):
    workers = draining.workers()
    begin_to_drain(draining)
    with draining.connect() as busy:
        busy.sendall(b"GET /sleep/30 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        draining.process.send_signal(second)
        assert draining.process.wait(SECONDS) == 128 + second
        assert psutil.wait_procs(workers, timeout=SECONDS)[1] == []


@pytest.mark.parametrize("draining", [60], indirect=True)
@pytest.mark.parametrize("kind", ["granian"])
def test_worker_that_dies_while_draining_is_replaced_by_one_that_drains(draining: ToyServer):
    begin_to_drain(draining)
    workers = draining.workers()
    for each in workers:
        each.kill()
    # Those that are dead may seem to listen.
    assert wait_until(lambda: len({*draining.workers()} - {*workers}) == 2, SECONDS)
    assert wait_until(lambda: listens(draining), SECONDS)
    with draining.connect() as connection:
        connection.sendall(PROBE)
        response = receive(connection)
    assert (response.status, closes(response)) == (503, True)


@pytest.mark.parametrize("draining", [1], indirect=True)
@pytest.mark.parametrize("kind", ["granian"])
def test_signal_to_all_processes_drains(draining: ToyServer):
    """As of systemd, and of Ctrl+C in a terminal."""
    assert wait_until(lambda: draining.log().count(" runtime-1") == 2, SECONDS)
    workers = draining.workers()
    begin_to_drain(draining, lambda: os.killpg(draining.process.pid, signal.SIGINT))
    assert draining.workers() == workers
    assert draining.process.wait(SECONDS) == 0


@pytest.mark.parametrize("draining", [60], indirect=True)
@pytest.mark.parametrize("kind", ["granian"])
def test_signal_to_a_worker_alone_replaces_it(draining: ToyServer):
    workers = draining.workers()
    workers[0].terminate()
    assert psutil.wait_procs([workers[0]], timeout=SECONDS)[1] == []
    assert wait_until(lambda: len(draining.workers()) == 2, SECONDS)
    assert draining.get("/ready")[0] == 200
