"""A queue in which the requests of one user do not delay those of others."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

# For each user: requests at once, and those that wait; and the seconds after which one that waits
# is refused. Together with the time-outs of a request they are its longest duration.
MAX_RUNNING = 2
MAX_WAITING = 100
MAX_SECONDS = 2.0
# Requests at once from a network whose user is not known: several people can share it.
MAX_RUNNING_OF_NETWORK = 4


class FairQueue(Generic[T]):
    """Starts requests, at most MAX_RUNNING of each user at once; thread-safe.

    A user is a ``str``, the ``sub``; any other key is a network.

    :param start: starts a request, in any thread; its end must be reported to :meth:`ended`
    :param refuse: answers 429 to a request that would wait for too long, likewise
    """

    def __init__(self, start: Callable[[T], None], refuse: Callable[[T], None]) -> None:
        self._start, self._refuse = start, refuse
        self._running: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[tuple[float, T]]] = {}
        self._lock = threading.Lock()

    def put(self, user: Hashable, request: T) -> None:
        """Start a request now, or when another of the same user has ended."""
        with self._lock:
            running = self._running.get(user, 0)
            if running < (MAX_RUNNING if isinstance(user, str) else MAX_RUNNING_OF_NETWORK):
                self._running[user] = running + 1
                act = self._start
            else:
                waiting = self._waiting.setdefault(user, deque())
                if len(waiting) < MAX_WAITING:
                    waiting.append((time.monotonic() + MAX_SECONDS, request))
                    return
                act = self._refuse
        act(request)

    def ended(self, user: Hashable) -> None:
        """Start the next request of a user, one of whose requests has ended."""
        refused: list[T] = []
        with self._lock:
            started = self._next(user, refused)
        for request in refused:
            self._refuse(request)
        if started:
            self._start(*started)

    def _next(self, user: Hashable, refused: list[T]) -> list[T]:
        waiting = self._waiting.get(user)
        while waiting:
            deadline, request = waiting.popleft()
            if not waiting:
                del self._waiting[user]
            if time.monotonic() < deadline:
                return [request]
            refused.append(request)
        if self._running[user] > 1:
            self._running[user] -= 1
        else:
            del self._running[user]
        return []
