"""Scheduling of requests, and SIGTERM."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

from jobtracker.local.process import wait_until
from tests.common.toy_server import ToyServer, receive


def test_probes_do_not_wait_for_a_thread_of_other_requests(server: ToyServer):
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(server.get, "/sleep/1") for _ in range(4)]  # two rounds of two
        time.sleep(0.1)
        assert [server.get(path)[0] for path in ("/health", "/ready")] == [200, 200]
        assert not any(other.done() for other in others)
        assert [other.result()[0] for other in others] == [200] * 4


def is_refused(server: ToyServer) -> bool:
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_sigterm_lets_begun_requests_finish(stoppable: ToyServer):
    idle, busy = stoppable.connect(), stoppable.connect()
    busy.sendall(b"GET /sleep/0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
    with ThreadPoolExecutor(5) as threads:
        # One more that runs, one that waits, one whose body exceeds the socket's buffer.
        paths = ["/sleep/1.5", "/sleep/0.3", "/large"]
        begun = [threads.submit(stoppable.get, path) for path in paths]
        time.sleep(0.3)
        stopping = threads.submit(stoppable.stop)
        assert wait_until(lambda: is_refused(stoppable), 5)
        assert not begun[0].done()
        assert [each.result()[0] for each in begun] == [200] * 3
        response = receive(busy)
        assert response.body == b"sleep"
        if stoppable.kind == "waitress":  # Granian only closes the connection
            assert response.headers["Connection"] == "close"
        assert stopping.result() < 3
    assert idle.recv(1) == b""
    idle.close()
    busy.close()
    assert "still running" not in stoppable.log()


def test_sigterm_does_not_wait_long_for_a_partial_request(stoppable: ToyServer):
    with stoppable.connect() as connection:
        connection.sendall(b"GET /echo HTTP/1.1\r\nHost:")
        time.sleep(0.2)
        assert stoppable.stop() < 6


def test_sigterm_to_a_process_that_is_stopped_ends_it_when_it_continues(kind: str):
    """In some of the attempts another thread than the main one gets the signal."""
    servers = [ToyServer(kind) for _ in range(6)]
    for server in servers:
        for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT):
            server.process.send_signal(number)
    for server in servers:
        assert server.process.wait(20) == 0
        server.close()
