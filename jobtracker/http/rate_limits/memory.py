"""Counts of a sliding window in the memory of this process."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from limits.storage.base import SlidingWindowCounterSupport

# The least recently used counts beyond are dropped: some 40 MB.
MAX_COUNTS = 100_000


class Counts(NamedTuple):
    """The counts of a window, which is the window_number-th since the clock's zero, and of the one
    before."""

    window_number: int
    previous: int
    current: int

    def as_of(self, now: float, period: int) -> tuple[int, float, int, float]:
        """The previous window's count and the seconds until it has no weight, and those of the
        current one, as of now."""
        passed = now // period - self.window_number
        previous, current = self.previous, self.current
        if passed > 0:
            previous, current = (current if passed == 1 else 0), 0
        remaining = period - now % period
        return previous, remaining, current, remaining + period


NO_COUNTS = Counts(0, 0, 0)


class MemoryStorage(SlidingWindowCounterSupport):
    """A storage of ``limits``, thread-safe, whose operations do not depend on the number of keys.

    The library's own looks at all keys for expired ones after each hit.
    """

    base_exceptions = ()
    wrap_exceptions = False

    def __init__(
        self, max_counts: int = MAX_COUNTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # The least recently used first.
        self._counts: OrderedDict[tuple[str, int], Counts] = OrderedDict()
        self._max_counts = max_counts
        self._lock = threading.Lock()
        self._clock = clock

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count, unless that exceeds the limit; a negative amount is a refund."""
        now = self._clock()
        with self._lock:
            counts = self._counts.get((key, expiry), NO_COUNTS)
            previous, remaining, current, _ = counts.as_of(now, expiry)
            if math.floor(previous * remaining / expiry) + current + amount > limit:
                return False
            counts = Counts(int(now // expiry), previous, max(0, current + amount))
            self._counts[key, expiry] = counts
            self._counts.move_to_end((key, expiry))
            if len(self._counts) > self._max_counts:
                self._counts.popitem(last=False)
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        with self._lock:
            return self._counts.get((key, expiry), NO_COUNTS).as_of(self._clock(), expiry)

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        with self._lock:
            self._counts.pop((key, expiry), None)

    def __len__(self) -> int:
        return len(self._counts)
