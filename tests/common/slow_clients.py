"""Clients that keep connections open and do nothing with them, or next to nothing."""

import contextlib
import socket
from collections.abc import Iterator

from tests.common.running_clock import running_time

# Seconds between two bytes of a client that drips.
PAUSE = 0.1


def connect(port: int) -> socket.socket:
    """A connection whose client buffers little."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    return client


@contextlib.contextmanager
def connections(port: int, number: int, request: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, each with the same beginning of a request."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(number)]
        for client in clients:
            client.sendall(request)
        yield clients


def seconds_until_closed(client: socket.socket, *, drip: bytes = b"", limit: float = 10) -> float:
    """Send bytes now and then, and drop what is received, until the server closes the connection.

    :raises AssertionError: when it stays open
    """
    began = running_time()
    client.settimeout(PAUSE)
    while (seconds := running_time() - began) < limit:
        try:
            client.sendall(drip)
            if client.recv(65536) == b"":
                return seconds
        except TimeoutError:
            continue
        except OSError:
            return seconds
    raise AssertionError(f"still open after {limit} seconds")
