"""Rolling restarts behind HAProxy: no client of a kept-alive connection loses a request."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from tests.torture.client import Client, print_figures, unique
from tests.torture.haproxy import PROGRAM, REASON, HAProxy
from tests.torture.instance import Instance

pytestmark = [pytest.mark.torture, pytest.mark.skipif(PROGRAM is None, reason=REASON)]

CLIENTS = 50
RESTARTS = int(os.environ.get("TORTURE_RESTARTS", "10"))
REQUESTS = 5000 * RESTARTS
DRAIN_SECONDS = 4


class Load:
    """Requests of clients that keep their connections, until :attr:`done`."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.succeeded = 0
        self._lock = threading.Lock()
        self.failures: list[str] = []

    def run(self, client: Client) -> None:
        """Write and read back; each of the clients has a connection."""
        job = client.make_job()
        while not self.done.is_set():
            title = unique("title")
            for method, body in (("PATCH", {"job_title": title}), ("GET", None)):
                try:
                    answer = client.call(method, job, body)
                except urllib3.exceptions.HTTPError as error:
                    self.failures.append(f"{method}: {error!r}")
                    continue
                if answer.status != 200 or answer.json["job_title"] != title:
                    self.failures.append(f"{method}: {answer}")
                else:
                    with self._lock:
                        self.succeeded += 1


@pytest.mark.parametrize("ini", ["production.ini", "development.ini"])
def test_rolling_restarts_lose_no_request(
    tmp_path: Path, pserve: Callable[..., Instance], new_token: Callable[[], str], ini: str
):
    instances = [pserve(ini=ini, drain_seconds=DRAIN_SECONDS) for _ in range(2)]
    haproxy = HAProxy(tmp_path, (instances[0].port, instances[1].port))
    load = Load()
    restarts = RESTARTS if ini == "production.ini" else 1
    requests = REQUESTS if ini == "production.ini" else 0
    with haproxy.running(), ThreadPoolExecutor(CLIENTS) as threads:
        clients = [Client(haproxy.port, new_token()) for _ in range(CLIENTS)]
        running = [threads.submit(load.run, client) for client in clients]
        try:
            for _ in range(restarts):
                for name, instance in zip("ab", instances, strict=True):
                    instance.stop()
                    instance.start()
                    haproxy.wait_until_up(name)
            while load.succeeded < requests and not load.failures:
                time.sleep(0.1)
        finally:
            load.done.set()
        for each in running:
            each.result()
    print_figures(
        f"{restarts} rolling restarts of two instances ({ini}) behind HAProxy, {CLIENTS} clients: "
        f"{load.succeeded} requests, {len(load.failures)} failed"
    )
    assert load.failures == []
