"""A thousand clients that do nothing: others are answered at once, in little memory."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from statistics import quantiles
from typing import Any

import psutil
import psycopg
import pytest

from tests.common.proxy import HOST
from tests.torture.client import Client, print_figures
from tests.torture.instance import Instance

pytestmark = pytest.mark.torture

SECONDS = int(os.environ.get("TORTURE_SECONDS", "30"))
SILENT, DRIPPING, UNREAD = 500, 500, 50
JOBS = 1200  # of the user whose list is not read: about 3 MiB
SECONDS_TO_ANSWER = 1
RSS_BYTES = 300 * 2**20
SECONDS_BETWEEN_PROBES = 0.1


class SlowClients(threading.Thread):
    """Connections that are opened again as soon as the server closes them."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.head = f"GET /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode()
        self.opened = 0
        self._stopped = threading.Event()

    def run(self) -> None:
        asyncio.run(self._run())

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    async def _run(self) -> None:
        kinds = [*[(b"", b"", 0.0)] * SILENT, *[(self.head, b"x", 0.0)] * DRIPPING]
        # One after the other: many large lists at once are another matter.
        kinds += [(self.head + b"\r\n", b"", i * SECONDS / 4 / UNREAD) for i in range(UNREAD)]
        clients = [asyncio.create_task(self._client(*kind)) for kind in kinds]
        while not self._stopped.is_set():
            await asyncio.sleep(0.1)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _client(self, request: bytes, drip: bytes, delay: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(delay)
        while True:
            with contextlib.suppress(OSError), socket.socket() as client:
                client.setblocking(False)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await loop.sock_connect(client, (HOST, self.port))
                self.opened += 1
                await loop.sock_sendall(client, request)
                while is_open(client):
                    await asyncio.sleep(1)
                    await loop.sock_sendall(client, drip)


def is_open(client: socket.socket) -> bool:
    """Whether the server has not closed the connection; nothing is received."""
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True


def resident_bytes(server: Instance) -> list[int]:
    """Of each process that serves."""
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    return [each.memory_info().rss for each in process.children() or [process]]


@pytest.fixture(params=["production.ini", "development.ini"])
def server(request: pytest.FixtureRequest, pserve: Callable[..., Instance]) -> Instance:
    return pserve(ini=request.param)


@pytest.fixture
def large_token(
    server: Instance, new_token: Callable[[], str], database: psycopg.Connection
) -> Iterator[str]:
    """The token of a user with many jobs."""
    token = new_token()
    client = server.client(token)
    job = client.make_job().rpartition("/")[2]
    database.execute(
        """
        INSERT INTO jobs (user_id, company_name, job_title, location)
        SELECT user_id, repeat('😀', 255), repeat('😀', 255), repeat('😀', 255)
        FROM jobs, generate_series(1, %s) WHERE id = %s
        """,
        [JOBS, job],
    )
    assert len(client.call("GET", "/jobs").body) > 2.9e6
    client.close()
    yield token
    database.execute("DELETE FROM users WHERE id = (SELECT user_id FROM jobs WHERE id = %s)", [job])


def probe(client: Client, path: str) -> float:
    answer = client.call("GET", path)
    assert answer.status == 200
    return answer.seconds


def test_slow_clients_delay_nobody_and_occupy_little_memory(
    server: Instance, new_token: Callable[[], str], large_token: str
):
    client = server.client(new_token())
    for _ in range(20):
        client.make_job()
    slow = SlowClients(server.port, large_token)
    slow.start()
    seconds: dict[str, list[float]] = {"/health": [], "/jobs": []}
    rss: list[int] = []
    errors: list[Any] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for path in seconds:
            probing = server.client(client.token)  # on a new connection
            try:
                seconds[path].append(probe(probing, path))
            except Exception as error:
                errors.append(error)
            probing.close()
        rss.append(max(resident_bytes(server)))
        time.sleep(SECONDS_BETWEEN_PROBES)
    slow.stop()
    client.close()
    print_figures(
        f"{SILENT} silent, {DRIPPING} dripping, {UNREAD} unread for {SECONDS} s",
        f"({server.ini.name}): {slow.opened} connections; {max(rss) / 2**20:.0f} MiB",
        *(
            f"{path}: p95 {quantiles(each, n=20)[18]:.3f} s, max {max(each):.3f} s"
            for path, each in seconds.items()
        ),
    )
    assert errors == []
    assert max(max(each) for each in seconds.values()) < SECONDS_TO_ANSWER
    assert max(rss) < RSS_BYTES
