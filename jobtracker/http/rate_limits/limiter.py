"""RateLimiter: counts what limits allow, in a storage and for the time of its failure in memory."""

import hashlib
import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast

import limits
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.storage.base import SlidingWindowCounterSupport

from jobtracker.db.connections import SupportsExecute
from jobtracker.environment import read_again
from jobtracker.http.rate_limits.memory import MemoryStorage
from jobtracker.http.rate_limits.postgres import PostgresStorage
from jobtracker.logs.outages import log_outage

log = logging.getLogger(__name__)

# Seconds: the time-out of Redis, and how long a storage is not used after an error.
REDIS_TIMEOUT = 0.5
PAUSE = 10

Connect = Callable[[], AbstractContextManager[SupportsExecute]]


class RateLimiter:
    """Counts hits in sliding windows, thread-safe.

    :param storage: ``memory://``, ``postgresql://`` for the application's own database, or the URL
        of Redis
    :param connect: for PostgreSQL: see PostgresStorage
    """

    def __init__(
        self,
        storage: str,
        clock: Callable[[], float] = time.monotonic,
        connect: Connect | None = None,
    ) -> None:
        self._fallback = MemoryStorage(clock=clock)
        self._storage: SlidingWindowCounterSupport = self._fallback
        if storage == "postgresql://" and connect is not None:
            self._storage = PostgresStorage(connect)
        elif storage != "memory://":
            self._storage = _redis(storage)
        self._url = storage
        self._clock = clock
        self._paused_until = -math.inf

    def hit(self, rate: limits.RateLimitItem, name: str, key: str) -> float:
        """Count a hit, and return 0; beyond the rate, count nothing and return the seconds until
        the next one is allowed."""
        return self._hit(rate, name, key, 1)

    def refund(self, rate: limits.RateLimitItem, name: str, key: str) -> None:
        """Do not count a hit any more."""
        self._hit(rate, name, key, -1)

    def _hit(self, rate: limits.RateLimitItem, name: str, key: str, amount: int) -> float:
        # A hash, since a key can be long.
        full_key = rate.key_for(name, hashlib.sha256(key.encode()).hexdigest()[:32])
        if self._clock() >= self._paused_until:
            try:
                return hit(self._storage, rate, full_key, amount)
            except StorageError as error:
                self._paused_until = self._clock() + PAUSE
                cause = type(error.storage_error).__name__
                reason = "Rate limits are counted by this process alone: %s"
                log_outage(log, "rate limits", reason, cause)
                self._use_rotated_password()
        return hit(self._fallback, rate, full_key, amount)

    def _use_rotated_password(self) -> None:
        """Connect to Redis by its URL as of now, if that is another one."""
        url = read_again(self._url) or self._url
        if url != self._url:
            self._url, self._storage = url, _redis(url)


def _redis(url: str) -> SlidingWindowCounterSupport:
    options = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), REDIS_TIMEOUT)
    storage = storage_from_string(url, wrap_exceptions=True, **options)
    return cast(SlidingWindowCounterSupport, storage)


def hit(
    storage: SlidingWindowCounterSupport, rate: limits.RateLimitItem, key: str, amount: int = 1
) -> float:
    """Count in a storage, and return 0; beyond the rate, count nothing and return the seconds until
    the next hit is allowed."""
    period = rate.get_expiry()
    if storage.acquire_sliding_window_entry(key, rate.amount, period, amount):
        return 0
    previous, _, current, expires_in = storage.get_sliding_window(key, period)
    # The storages keep the current window's count for one more period, as the previous one's.
    remaining = max(0, expires_in - period)
    free = rate.amount - current
    if free > 0:  # once the previous window has less weight
        return max(1, remaining - free * period / max(1, previous))
    return max(1, remaining + period * (1 - rate.amount / current))
