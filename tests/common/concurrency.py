"""Calls that begin at the same moment."""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

THREADS = 8

T = TypeVar("T")


def run_concurrently(calls: Sequence[Callable[[], T]]) -> list[T]:
    """The results of the calls, each of which runs in its own thread."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def repeat_concurrently(call: Callable[[int], T], times: int = THREADS) -> list[T]:
    """The results of one call with the numbers from 0, each in its own thread."""
    return run_concurrently([functools.partial(call, number) for number in range(times)])
