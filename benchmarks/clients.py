"""Clients that are slow, rude, or only look at the clock."""

import contextlib
import http.client
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SECONDS_TO_ANSWER = 5


@dataclass(frozen=True)
class Times:
    """How long answers took, in milliseconds."""

    p50: float
    p99: float
    worst: float
    failed: int

    @classmethod
    def of(cls, seconds: list[float], failed: int) -> "Times":
        if not seconds:
            return cls(0, 0, 0, failed)
        ordered = sorted(seconds)
        at_99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        return cls(statistics.median(ordered) * 1000, at_99 * 1000, ordered[-1] * 1000, failed)

    def __str__(self) -> str:
        failed = f", {self.failed} not answered" if self.failed else ""
        return f"{self.p50:.1f} / {self.p99:.1f} / {self.worst:.0f}{failed}"


def probe(port: int, path: str, token: str, until: Callable[[int], bool]) -> Times:
    """Ask on a new connection each time, as a load balancer does."""
    taken: list[float] = []
    failed = 0
    while not until(len(taken) + failed):
        began = time.perf_counter()
        try:
            if get(port, path, token) != 200:
                failed += 1
                continue
        except (OSError, http.client.HTTPException):
            failed += 1
            continue
        taken.append(time.perf_counter() - began)
        time.sleep(0.01)
    return Times.of(taken, failed)


def get(port: int, path: str, token: str = "", seconds: float = SECONDS_TO_ANSWER) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def ask_raw(port: int, request: bytes, seconds: float = SECONDS_TO_ANSWER) -> bytes:
    """What comes back to these bytes; what was sent before a reset counts as well."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(request)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while chunk := connection.recv(65536):
                received += chunk
    return received


def status_line(port: int, request: bytes) -> str:
    answer = ask_raw(port, request)
    return answer.partition(b"\r\n")[0].decode("latin-1") or "closed without an answer"


@contextlib.contextmanager
def dribbling(port: int, count: int, request: bytes, at_once: int) -> Iterator[None]:
    """So many connections that send their request a byte a second, after the first part of it."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    ended = threading.Event()

    def dribble() -> None:
        at = at_once
        while not ended.wait(1):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.send(request[at : at + 1])
            at += 1

    with contextlib.ExitStack() as leaving:
        for connection in connections:
            leaving.enter_context(connection)
            connection.sendall(request[:at_once])
        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        leaving.callback(thread.join)
        leaving.callback(ended.set)
        yield


@contextlib.contextmanager
def not_reading(port: int, count: int, request: bytes) -> Iterator[None]:
    """So many connections that ask for much and read none of it."""
    with contextlib.ExitStack() as leaving:
        for _ in range(count):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            leaving.enter_context(connection)
            connection.connect(("127.0.0.1", port))
            connection.sendall(request)
        yield
