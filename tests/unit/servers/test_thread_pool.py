"""Worker threads beside an event loop: blocked ones are joined by more, for a while."""

import asyncio
import functools
import threading
import time

import pytest

from jobtracker.servers import thread_pool
from jobtracker.servers.thread_pool import WorkerThreads


def wait(event: threading.Event) -> None:
    event.wait(5)


def test_function_runs_in_another_thread_and_its_error_is_logged(caplog: pytest.LogCaptureFixture):
    names: list[str] = []

    def fail() -> None:
        names.append(threading.current_thread().name)
        raise ValueError

    async def run() -> None:
        pool = WorkerThreads(1, 1)
        await pool.run(fail)
        await pool.run(fail)

    asyncio.run(run())
    assert len(names) == 2
    assert threading.current_thread().name not in names
    assert caplog.text.count("Unexpected error in a thread of the server") == 2


def test_functions_end_when_no_thread_can_be_added(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(_ttl: float) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> None:
        pool = WorkerThreads(1, 2)
        monkeypatch.setattr(pool, "_start_thread", fail)
        released = threading.Event()
        pending = [pool.run(functools.partial(wait, released)), pool.run(lambda: None)]
        ending = asyncio.ensure_future(asyncio.wait_for(asyncio.gather(*pending), 5))
        await asyncio.sleep(3 * thread_pool.COMPLETION_INTERVAL)
        released.set()
        await ending

    asyncio.run(run())
    assert "A thread of the server cannot be started" in caplog.text


def test_blocked_threads_delay_other_functions_for_two_intervals_at_most():
    async def run() -> float:
        pool = WorkerThreads(1, 2)
        released = threading.Event()
        blocked = asyncio.ensure_future(pool.run(functools.partial(wait, released)))
        await asyncio.sleep(0.01)
        started = time.monotonic()
        await pool.run(lambda: None)
        seconds = time.monotonic() - started
        released.set()
        await blocked
        return seconds

    assert asyncio.run(run()) < 1


def test_threads_are_not_added_beyond_the_maximum_and_end_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thread_pool, "ADDED_THREAD_TTL", 0.2)

    async def run() -> tuple[int, int]:
        pool = WorkerThreads(1, 3)
        released = threading.Event()
        blocked = [
            asyncio.ensure_future(pool.run(functools.partial(wait, released))) for _ in "12345"
        ]
        await asyncio.sleep(0.5)
        most = len(pool._threads)
        released.set()
        await asyncio.gather(*blocked)
        for _ in range(10):
            await asyncio.gather(*(pool.run(lambda: None) for _ in range(5)))
        return most, sum(thread.is_alive() for thread in pool._threads)

    assert asyncio.run(run()) == (3, 1)
