"""The large request and response bodies that a worker holds, limited in all."""

import asyncio
import contextlib
import math
import time
from collections.abc import Iterator

from jobtracker.errors import Unavailable
from jobtracker.servers.request_bodies import UNVERIFIED_BYTES

# Seconds without progress after which a body may be given up for another one.
STALLED_AFTER = 5.0


class Transfer:
    """A body that is received or sent."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.progress_at = time.monotonic()
        self._timeout = asyncio.timeout(None)

    def within(self, seconds: float) -> asyncio.Timeout:
        """Cancel the block with TimeoutError after so many seconds, or when it is given up."""
        self._timeout = asyncio.timeout(seconds)
        return self._timeout

    def mark_progress(self) -> None:
        self.progress_at = time.monotonic()

    def mark_complete(self) -> None:
        """The client has done its part: the application can take its time."""
        self.progress_at = math.inf

    def give_up(self) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(0)


class Transfers:
    """The transfers of one event loop.

    :param max_bytes: of all bodies of more than UNVERIFIED_BYTES; the others are not counted
    """

    def __init__(self, max_bytes: int) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._current: set[Transfer] = set()

    @contextlib.contextmanager
    def begin(self, size: int) -> Iterator[Transfer]:
        """A transfer of so many bytes, until the end of the block. Where there is no room for it,
        those that make no progress are given up.

        :raises Unavailable: where there is still no room
        """
        transfer = Transfer(size)
        if size <= UNVERIFIED_BYTES:
            yield transfer
            return
        self._make_room(size)
        self._current.add(transfer)
        self.bytes += size
        try:
            yield transfer
        finally:
            self._remove(transfer)

    def _make_room(self, size: int) -> None:
        stalled_at = time.monotonic() - STALLED_AFTER
        for other in sorted(self._current, key=lambda other: other.progress_at):
            if self.bytes + size <= self._max_bytes or other.progress_at > stalled_at:
                break
            other.give_up()
            self._remove(other)
        if self.bytes + size > self._max_bytes:
            raise Unavailable

    def _remove(self, transfer: Transfer) -> None:
        if transfer in self._current:
            self._current.discard(transfer)
            self.bytes -= transfer.size
