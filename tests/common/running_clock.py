"""A clock that stops while the machine pauses, for what must happen in bounded time.

It is for tests that wait: what computes without releasing the GIL stops the clock as well.
"""

import functools
import threading
import time

TICK = 0.05


class _Clock:
    def __init__(self) -> None:
        self.seconds = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(TICK)
            now = time.monotonic()
            self.seconds += min(now - last, 2 * TICK)
            last = now


_clock = functools.cache(_Clock)


def running_time() -> float:
    """As time.monotonic(), without the pauses."""
    return _clock().seconds
