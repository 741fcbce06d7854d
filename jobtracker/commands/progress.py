"""A progress bar on standard error, if that is a terminal."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator

# Seconds between two updates.
INTERVAL = 0.1
MAX_WIDTH = 60


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """The function that shows what is done, and the total; at the end the line is empty."""
    is_shown = sys.stderr is not None and sys.stderr.isatty()
    updated_at = float("-inf")

    def update(done: int, total: int) -> None:
        nonlocal updated_at
        now = time.monotonic()
        if not is_shown or (now - updated_at < INTERVAL and done < total):
            return
        updated_at = now
        share = done / total if total else 1.0
        width = min(MAX_WIDTH, shutil.get_terminal_size().columns - len("[] 100 %") - 1)
        filled = "#" * int(share * max(width, 0))
        _write(f"\r[{filled:{max(width, 1)}}] {int(share * 100):3} %")

    try:
        yield update
    finally:
        if is_shown:
            _write("\r\033[K")  # to the end of the line


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
