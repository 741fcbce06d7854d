"""Raw HTTP clients: slow senders, slow receivers, and one that measures latencies."""

import contextlib
import http.client
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Seconds after which a request without a response has failed.
TIMEOUT = 5


@dataclass(frozen=True)
class Latencies:
    """Latencies of successful requests in milliseconds, and the number of failed ones."""

    p50: float
    p99: float
    max: float
    failed: int

    @classmethod
    def of(cls, seconds: list[float], failed: int) -> "Latencies":
        if not seconds:
            return cls(0, 0, 0, failed)
        ordered = sorted(seconds)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        return cls(statistics.median(ordered) * 1000, p99 * 1000, ordered[-1] * 1000, failed)

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.p50:.1f} / {self.p99:.1f} / {self.max:.0f}{failed}"


def measure_latencies(port: int, path: str, token: str, until: Callable[[int], bool]) -> Latencies:
    """Send GET requests one by one, each on a new connection, as load balancers do.

    :param until: gets the number of requests so far, and returns whether they are enough
    """
    latencies: list[float] = []
    failed = 0
    while not until(len(latencies) + failed):
        started = time.perf_counter()
        try:
            if get(port, path, token) != 200:
                failed += 1
                continue
        except (OSError, http.client.HTTPException):
            failed += 1
            continue
        latencies.append(time.perf_counter() - started)
        time.sleep(0.01)
    return Latencies.of(latencies, failed)


def get(port: int, path: str, token: str = "", timeout: float = TIMEOUT) -> int:
    """The status of a GET request on a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def send_raw(port: int, request: bytes, timeout: float = TIMEOUT) -> bytes:
    """The response to these bytes, including what is received before a reset."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(request)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while chunk := connection.recv(65536):
                received += chunk
    return received


def status_line(port: int, request: bytes) -> str:
    """The status line of the response to these bytes."""
    response = send_raw(port, request)
    return response.partition(b"\r\n")[0].decode("latin-1") or "closed without a response"


@contextlib.contextmanager
def slow_senders(port: int, count: int, request: bytes, prefix: int) -> Iterator[None]:
    """Open connections that send the first ``prefix`` bytes, and then one byte each second."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    ended = threading.Event()

    def send_bytes() -> None:
        at = prefix
        while not ended.wait(1):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.send(request[at : at + 1])
            at += 1

    with contextlib.ExitStack() as stack:
        for connection in connections:
            stack.enter_context(connection)
            connection.sendall(request[:prefix])
        thread = threading.Thread(target=send_bytes, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(ended.set)
        yield


@contextlib.contextmanager
def slow_receivers(port: int, count: int, request: bytes) -> Iterator[None]:
    """Open connections that send a request for a large response and do not read it."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stack.enter_context(connection)
            connection.connect(("127.0.0.1", port))
            connection.sendall(request)
        yield
