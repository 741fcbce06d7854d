"""A progress bar on standard error, if that is a terminal."""

import shutil
import sys
import time
from types import TracebackType
from typing import Self

# Seconds between two updates.
INTERVAL = 0.1
MAX_WIDTH = 60


class ProgressBar:
    """Shown within a ``with`` statement, whose end leaves an empty line."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()
        self._updated_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._is_shown:
            self._write("\r\033[K")  # to the end of the line

    def update(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._is_shown or (now - self._updated_at < INTERVAL and done < total):
            return
        self._updated_at = now
        share = done / total if total else 1.0
        width = min(MAX_WIDTH, shutil.get_terminal_size().columns - len("[] 100 %") - 1)
        filled = "#" * int(share * max(width, 0))
        self._write(f"\r[{filled:{max(width, 1)}}] {int(share * 100):3} %")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
