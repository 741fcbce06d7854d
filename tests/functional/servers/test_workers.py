"""Worker processes of Granian: pinning to CPUs, respawn, and their end with the main process."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.common.toy_server import ToyServer

ALL_CPUS = os.sched_getaffinity(0)

PIN = """
import os
from jobtracker.servers.cpu_affinity import pin_to_cpu
pin_to_cpu()
print(sorted(os.sched_getaffinity(0)), flush=True)
input()
"""

pytestmark = pytest.mark.skipif(len(ALL_CPUS) < 2, reason="one CPU only")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def affinities(worker: psutil.Process) -> list[set[int]]:
    """The affinity masks of a process's threads."""
    return [os.sched_getaffinity(thread.id) for thread in worker.threads()]


def has_started(worker: psutil.Process) -> bool:
    """Whether the threads of a worker are there."""
    return len(worker.threads()) > 4


def cpu_of(worker: psutil.Process) -> int:
    """The one CPU of all threads of a process.

    :raises AssertionError: where there are several
    """
    cpus = set().union(*affinities(worker))
    assert len(cpus) == 1
    return cpus.pop()


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """CPUs are held system-wide: no other test run pins workers at the same time."""
    with (Path(tempfile.gettempdir()) / "jobtracker-tests-pinning").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def start() -> Iterator[Callable[..., ToyServer]]:
    servers = []

    def start(*options: str) -> ToyServer:
        servers.append(ToyServer("granian", *options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_pinned_workers_have_a_cpu_each_which_a_respawned_one_takes_over(
    start: Callable[..., ToyServer],
):
    server = start("workers=2", "cpu_affinity=true")
    workers = server.workers()
    wait_until(lambda: all(map(has_started, workers)))
    cpus = {cpu_of(worker) for worker in workers}
    assert len(cpus) == 2
    killed, freed = workers[0], cpu_of(workers[0])
    killed.kill()
    wait_until(lambda: len(alive := server.workers()) == 2 and killed not in alive)
    (respawned,) = set(server.workers()) - set(workers)
    wait_until(lambda: has_started(respawned))
    assert cpu_of(respawned) == freed
    assert server.get("/health")[0] == 200


def test_pinned_workers_of_two_instances_have_a_cpu_each(start: Callable[..., ToyServer]):
    instances = [start("workers=1", "cpu_affinity=true") for _ in range(2)]
    assert len({cpu_of(instance.workers()[0]) for instance in instances}) == 2


def test_workers_without_a_free_cpu_are_not_pinned():
    allowed = sorted(ALL_CPUS)
    workers = [
        subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-c", PIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(len(allowed) + 1)
    ]
    masks = [worker.stdout.readline().decode().strip() for worker in workers if worker.stdout]
    for worker in workers:
        worker.communicate(b"\n")
    assert sorted(masks) == sorted([*(str([cpu]) for cpu in allowed), str(allowed)])


@pytest.fixture(scope="module")
def two_workers() -> Iterator[ToyServer]:
    server = ToyServer("granian", "workers=2")
    wait_until(lambda: all(map(has_started, server.workers())))
    yield server
    server.close()


def test_workers_are_not_pinned_by_default(two_workers: ToyServer):
    for worker in two_workers.workers():
        assert all(mask == ALL_CPUS for mask in affinities(worker))


def test_workers_end_when_the_main_process_is_killed(two_workers: ToyServer):
    workers = two_workers.workers()
    assert len(workers) == 2
    two_workers.process.send_signal(signal.SIGKILL)
    _gone, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
