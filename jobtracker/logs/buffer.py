"""The access log without the handlers of logging and without a system call for each line.

Where stderr is logged as JSON (:mod:`jobtracker.logs.uncaught`), handlers write to a
:class:`LineBuffer`: other records are written at once, after the lines that wait. Lines are made
when they are written, one after the other: between the code of a request each takes several times
as long. What that saves is in benchmarks/README.md.
"""

import contextlib
import logging
import os
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from jobtracker.logs import JsonFormatter

log = logging.getLogger(__name__)

#: The bytes of an atomic write to a pipe of several processes: pipe(7).
MAX_BYTES = select.PIPE_BUF
#: Seconds for which a line waits, at most.
DELAY = 0.2
#: Lines that can wait: beyond that the stream is slower than the requests, which wait for it then.
MAX_LINES = 10_000


class LineBuffer:
    """A text stream with lines that wait to be written together. Thread-safe.

    They are written after DELAY, before any other text, by :meth:`flush`, and at the exit of the
    process. SIGKILL and crashes of the interpreter lose them.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._lines: deque[Callable[[], bytes]] = deque()
        # Reentrant: a handler of a signal can log.
        self._lock = threading.RLock()
        self._waiting = threading.Event()
        self._thread: threading.Thread | None = None
        _buffers.add(self)

    def write_later(self, make_line: Callable[[], bytes]) -> None:
        """Write a line within DELAY.

        Errors of the stream lose lines, and are not raised, as in a handler of logging.

        :param make_line: returns the line, of ASCII and with its line feed; called in any thread
        """
        self._lines.append(make_line)
        if not self._waiting.is_set():
            self._waiting.set()
            if self._thread is None:
                self._start_thread()
        if len(self._lines) > MAX_LINES:
            self._try_flush()

    def write(self, text: str) -> int:
        """Write a text at once, after the lines that wait."""
        with self._lock:
            self.flush()
            return int(self.stream.write(text))

    def flush(self) -> None:
        with self._lock:
            text = b""
            with contextlib.suppress(IndexError):
                while True:
                    line = _make(self._lines.popleft())
                    if text and len(text) + len(line) > MAX_BYTES:
                        self.stream.write(text.decode("ascii"))
                        text = b""
                    text += line
            if text:
                self.stream.write(text.decode("ascii"))
            self.stream.flush()

    def fileno(self) -> int:
        return int(self.stream.fileno())

    def isatty(self) -> bool:
        return bool(self.stream.isatty())

    def _try_flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.flush()

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_after_delay, daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # beyond a limit of the system, or at the exit
                    self._thread = None
                    self._waiting.clear()
                    self._try_flush()

    def _write_after_delay(self) -> None:
        while True:
            self._waiting.wait()
            time.sleep(DELAY)
            self._waiting.clear()
            self._try_flush()

    def _reset(self) -> None:
        """In a fork, which has none of the threads."""
        self._lock = threading.RLock()
        self._waiting, self._thread = threading.Event(), None
        self._lines = deque()  # the parent process writes them


def _make(make_line: Callable[[], bytes]) -> bytes:
    try:
        return make_line()
    except Exception:  # must not lose the lines after it
        log.exception("Unexpected error in a line of the access log")
        return b""


def buffer_of(logger: logging.Logger) -> LineBuffer | None:
    """The buffer that a logger's records of INFO are written to as JSON, if that is all that its
    handlers do with them."""
    found: logging.Handler | None = None
    if logger.filters or logger.disabled:
        return None
    each: logging.Logger | None = logger
    while each is not None:
        for handler in each.handlers:
            if found is not None:
                return None
            found = handler
        each = each.parent if each.propagate else None
    if (
        type(found) is logging.StreamHandler
        and type(found.formatter) is JsonFormatter
        and found.level <= logging.INFO
        and not found.filters
        and isinstance(found.stream, LineBuffer)
    ):
        return found.stream
    return None


_buffers: weakref.WeakSet[LineBuffer] = weakref.WeakSet()


def _reset_buffers() -> None:
    for buffer in _buffers:
        buffer._reset()


os.register_at_fork(after_in_child=_reset_buffers)
