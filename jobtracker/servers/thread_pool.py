"""Threads that run the WSGI application beside an event loop."""

import asyncio
import functools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import NamedTuple

from jobtracker.errors import ApiError
from jobtracker.servers.fair_queue import FairQueue

log = logging.getLogger(__name__)

# Seconds between two polls of a thread pool by the event loop, while anything is pending.
COMPLETION_INTERVAL = 0.05
# Seconds after which an added thread ends with its next function.
ADDED_THREAD_TTL = 1.0


class Task(NamedTuple):
    """A function of a user, the one that is called instead with an error when it is not started,
    and the future of its end."""

    function: Callable[[], None]
    user: Hashable
    refuse: Callable[[ApiError], None]
    done: asyncio.Future[None]


class WorkerThreads:
    """Threads with one queue, which is fair to users, and more of them while all are blocked.

    Unlike those of a ThreadPoolExecutor they do not wake up the event loop when a function ends,
    which would cost a tenth of a 304; it polls while anything is pending.

    :param size: few threads contend less for the interpreter lock
    :param max_size: a thread is added whenever functions are queued and none has ended in the last
        COMPLETION_INTERVAL: slow queries delay fast ones by two of those, until there are max_size
    """

    def __init__(self, size: int, max_size: int) -> None:
        self._queue: SimpleQueue[Task] = SimpleQueue()
        self._fair_queue: FairQueue[Task] = FairQueue(self._queue.put, self._refuse)
        self._completed: deque[asyncio.Future[None]] = deque()
        self._pending = 0
        self.max_size = max_size
        self._threads: list[threading.Thread] = []
        for _ in range(size):
            self._start_thread(math.inf)

    async def run(
        self,
        function: Callable[[], None],
        user: Hashable = None,
        refuse: Callable[[ApiError], None] = lambda _error: None,
    ) -> None:
        """Call the function in a thread, and return up to COMPLETION_INTERVAL after its end.

        :param user: whose other functions can delay it; None for none
        :param refuse: called instead, in any thread, when too many wait or would wait for too long
        """
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        if not self._pending:
            loop.call_later(COMPLETION_INTERVAL, self._drain, loop)
        self._pending += 1
        task = Task(function, user, refuse, done)
        if user is None:
            self._queue.put(task)
        else:
            self._fair_queue.put(user, task)
        await done

    @property
    def queued(self) -> int:
        return self._queue.qsize() + self._fair_queue.waiting

    @property
    def busy(self) -> int:
        return max(0, self._pending - len(self._completed) - self.queued)

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._completed and not self._queue.empty():
            self._add_thread()
        while self._completed:
            done = self._completed.popleft()
            self._pending -= 1
            if not done.cancelled():
                done.set_result(None)
        if self._pending:
            loop.call_later(COMPLETION_INTERVAL, self._drain, loop)

    def _add_thread(self) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) < self.max_size:
            try:
                self._start_thread(ADDED_THREAD_TTL)
            except RuntimeError:  # beyond a limit of the system
                log.error("A thread of the server cannot be started")

    def _start_thread(self, ttl: float) -> None:
        thread = threading.Thread(target=self._work, args=[time.monotonic() + ttl], daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            task = self._queue.get()
            started = time.monotonic()
            self._call(task.function)
            self._completed.append(task.done)
            if task.user is not None:
                self._fair_queue.ended(task.user, time.monotonic() - started)
            # Otherwise the request lives on while this waits for the next, and its connection too.
            del task

    def _refuse(self, task: Task, error: ApiError) -> None:
        self._call(functools.partial(task.refuse, error))
        self._completed.append(task.done)

    @staticmethod
    def _call(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException:  # a panic of a library in Rust is no Exception
            log.exception("Unexpected error in a thread of the server")
