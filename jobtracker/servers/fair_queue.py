"""A queue in which the requests of one user do not delay those of others."""

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from jobtracker.errors import ApiError, RateLimited, Unavailable

T = TypeVar("T")

# For each user: requests at once, and those that wait.
MAX_RUNNING = 2
MAX_WAITING = 100
# Requests at once from a network whose user is not known: several people can share it.
MAX_RUNNING_OF_NETWORK = 4
# Seconds of a request after which those that wait for it are refused: PostgreSQL does not respond,
# and each of them would wait for it as well. Less than its time-outs (sqlalchemy.connect_timeout),
# and more than a call of Cognito or S3 takes at most, which the others may not need.
SLOW_SECONDS = 2.5


class FairQueue(Generic[T]):
    """Starts requests, at most MAX_RUNNING of each user at once; thread-safe.

    A user is a ``str``, the ``sub``; any other key is a network.

    :param start: starts a request, in any thread; its end must be reported to :meth:`ended`
    :param refuse: responds with an error to a request that is not started, likewise
    """

    def __init__(self, start: Callable[[T], None], refuse: Callable[[T, ApiError], None]) -> None:
        self._start, self._refuse = start, refuse
        self._running: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[T]] = {}
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        return sum(map(len, list(self._waiting.values())))

    def put(self, user: Hashable, request: T) -> None:
        """Start a request now, or when another of the same user has ended."""
        limit = MAX_RUNNING if isinstance(user, str) else MAX_RUNNING_OF_NETWORK
        with self._lock:
            running = self._running.get(user, 0)
            if running >= limit:
                waiting = self._waiting.setdefault(user, deque())
                is_refused = len(waiting) >= MAX_WAITING
                if not is_refused:
                    waiting.append(request)
                    return
            else:
                is_refused = False
                self._running[user] = running + 1
        if is_refused:
            self._refuse(request, RateLimited(limit="waiting_by_user"))
        else:
            self._start(request)

    def ended(self, user: Hashable, seconds: float) -> None:
        """Start the next request of a user, one of whose requests has ended after some seconds."""
        refused: deque[T] = deque()
        with self._lock:
            waiting = self._waiting.get(user)
            if waiting and seconds >= SLOW_SECONDS:
                refused = self._waiting.pop(user)
                waiting = None
            request = waiting.popleft() if waiting else None
            if not waiting:
                self._waiting.pop(user, None)
            if request is None:
                self._running[user] -= 1
                if not self._running[user]:
                    del self._running[user]
        for each in refused:
            self._refuse(each, Unavailable())
        if request is not None:
            self._start(request)
