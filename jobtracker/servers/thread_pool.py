"""Threads that run the WSGI application beside an event loop."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)

# Seconds after which the event loop learns at the latest that a function has ended.
COMPLETION_INTERVAL = 0.05


class WorkerThreads:
    """Threads with one queue. The event loop polls while anything is pending: a ThreadPoolExecutor
    wakes it up at the end of each function, which would cost a tenth of a 304."""

    def __init__(self, size: int) -> None:
        self._queue: SimpleQueue[tuple[Callable[[], None], asyncio.Future[None]]] = SimpleQueue()
        self._completed: deque[asyncio.Future[None]] = deque()
        self._pending = 0
        for _ in range(size):
            threading.Thread(target=self._work, daemon=True).start()

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
        while self._completed:
            done = self._completed.popleft()
            self._pending -= 1
            if not done.cancelled():
                done.set_result(None)
        if self._pending:
            loop.call_later(COMPLETION_INTERVAL, self._drain, loop)

    def _work(self) -> None:
        while True:
            function, done = self._queue.get()
            try:
                function()
            except Exception:
                log.exception("Unexpected error in a thread of the server")
            self._completed.append(done)
