"""Threads that run the WSGI application beside an event loop."""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)

# Seconds between two polls of a thread pool by the event loop, while anything is pending.
COMPLETION_INTERVAL = 0.05
# Seconds after which an added thread ends with its next function.
ADDED_THREAD_TTL = 1.0


class WorkerThreads:
    """Threads with one queue, and more of them while all are blocked.

    Unlike those of a ThreadPoolExecutor they do not wake up the event loop when a function ends,
    which would cost a tenth of a 304; it polls while anything is pending.

    :param size: few threads contend less for the interpreter lock
    :param max_size: a thread is added whenever functions are queued and none has ended in the last
        COMPLETION_INTERVAL: slow queries delay fast ones by two of those, until there are max_size
    """

    def __init__(self, size: int, max_size: int) -> None:
        self._queue: SimpleQueue[tuple[Callable[[], None], asyncio.Future[None]]] = SimpleQueue()
        self._completed: deque[asyncio.Future[None]] = deque()
        self._pending = 0
        self._max_size = max_size
        self._threads: list[threading.Thread] = []
        for _ in range(size):
            self._start_thread(math.inf)

    async def run(self, function: Callable[[], None]) -> None:
        """Call the function in a thread, and return up to COMPLETION_INTERVAL after its end."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        if not self._pending:
            loop.call_later(COMPLETION_INTERVAL, self._drain, loop)
        self._pending += 1
        self._queue.put((function, done))
        await done

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._completed and not self._queue.empty():
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if len(self._threads) < self._max_size:
                self._start_thread(ADDED_THREAD_TTL)
        while self._completed:
            done = self._completed.popleft()
            self._pending -= 1
            if not done.cancelled():
                done.set_result(None)
        if self._pending:
            loop.call_later(COMPLETION_INTERVAL, self._drain, loop)

    def _start_thread(self, ttl: float) -> None:
        thread = threading.Thread(target=self._work, args=[time.monotonic() + ttl], daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            function, done = self._queue.get()
            try:
                function()
            except Exception:
                log.exception("Unexpected error in a thread of the server")
            self._completed.append(done)
            # Otherwise the request lives on while this waits for the next, and its connection too.
            del function, done
