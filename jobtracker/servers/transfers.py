"""The large request and response bodies that a worker holds, limited in all."""

import asyncio
import contextlib
import math
import time
from collections.abc import Hashable, Iterator

from jobtracker.errors import Unavailable
from jobtracker.servers.request_bodies import UNVERIFIED_BYTES

# Seconds after which a slow body may be given up for another one, and below how many bytes per
# second it is slow.
STALLED_AFTER = 5.0
SLOW_RATE = 64 * 1024
# The part of all bytes that one owner can have, as one of so many.
OWNERS = 4


class Progress:
    """The rate of a body that is received or sent."""

    def __init__(self) -> None:
        self._is_complete = False
        # Bytes since the beginning of a period of STALLED_AFTER or more, and the rate before it.
        self._period_began = self._progress_at = time.monotonic()
        self._done = 0
        self._previous_rate = math.inf

    def rate(self) -> float:
        """Bytes per second lately; infinity before it can be called slow."""
        now = time.monotonic()
        if self._is_complete:
            return math.inf
        if now - self._progress_at > STALLED_AFTER:
            return 0
        seconds = now - self._period_began
        return self._done / seconds if seconds > STALLED_AFTER else self._previous_rate

    def add_progress(self, size: int) -> None:
        now = self._progress_at = time.monotonic()
        self._done += size
        if now - self._period_began > STALLED_AFTER:
            self._previous_rate = self._done / (now - self._period_began)
            self._period_began, self._done = now, 0

    def mark_complete(self) -> None:
        """The client has done its part: the application can take its time."""
        self._is_complete = True


class Transfer(Progress):
    """A body that is received or sent in an event loop."""

    def __init__(self, size: int, owner: Hashable) -> None:
        super().__init__()
        self.size = size
        self.owner = owner
        self._timeout = asyncio.timeout(None)

    def within(self, seconds: float) -> asyncio.Timeout:
        """Cancel the block with TimeoutError after so many seconds, or when it is given up."""
        self._timeout = asyncio.timeout(seconds)
        return self._timeout

    def give_up(self) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(0)


def owner_of(user: Hashable) -> Hashable:
    """By whom transfers are limited: the user, or the network without what a token claims."""
    return user[0] if isinstance(user, tuple) else user


class Transfers:
    """The transfers of one event loop.

    :param max_bytes: of all bodies of more than UNVERIFIED_BYTES; the others are not counted
    """

    def __init__(self, max_bytes: int) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._current: set[Transfer] = set()

    @contextlib.contextmanager
    def begin(self, size: int, owner: Hashable) -> Iterator[Transfer]:
        """A transfer of so many bytes, until the end of the block. Where there is no room for it,
        slow ones are given up: of the same owner beyond its part, then of all.

        :raises Unavailable: where there is still no room
        """
        transfer = Transfer(size, owner)
        if size <= UNVERIFIED_BYTES:
            yield transfer
            return
        own = [other for other in self._current if other.owner == owner]
        self._make_room(size, own, max(size, self._max_bytes // OWNERS))
        self._make_room(size, list(self._current), self._max_bytes)
        self._current.add(transfer)
        self.bytes += size
        try:
            yield transfer
        finally:
            self._remove(transfer)

    def _make_room(self, size: int, among: list[Transfer], max_bytes: int) -> None:
        held = sum(other.size for other in among)
        for other in sorted(among, key=Transfer.rate):
            if held + size <= max_bytes or other.rate() > SLOW_RATE:
                break
            other.give_up()
            self._remove(other)
            held -= other.size
        if held + size > max_bytes:
            raise Unavailable

    def _remove(self, transfer: Transfer) -> None:
        if transfer in self._current:
            self._current.discard(transfer)
            self.bytes -= transfer.size
