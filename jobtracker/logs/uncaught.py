"""What Python and other packages write to stderr is logged instead, where the log is JSON.

Warnings, exceptions that no code catches, the message of a SystemExit, and what is printed, by
pserve for instance: a line that is not JSON would be lost to, or break, what reads the log.
"""

import atexit
import contextlib
import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

from jobtracker.logs import JsonFormatter, SafeLogRecord
from jobtracker.logs.buffer import LineBuffer

log = logging.getLogger("jobtracker")


class LoggedStream(io.TextIOBase):
    """A stream whose lines are logged; those that are JSON, as of a handler, are written.

    :param stream: where the handlers of logging write
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._rest = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.startswith("{"):
                self.stream.write(line + "\n")
            elif line.strip():
                # At INFO, but whatever the level of the logger is.
                record = ("jobtracker.stderr", logging.INFO, __file__, 0, line, (), None)
                logging.root.handle(logging.getLogRecordFactory()(*record))
        return len(text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return int(self.stream.fileno())

    def isatty(self) -> bool:
        return bool(self.stream.isatty())


def stderr_handlers() -> list[Any]:
    """The handlers of the root logger that write JSON to stderr."""
    streams = (sys.stderr, sys.__stderr__, getattr(sys.stderr, "stream", None))
    return [
        each
        for each in logging.root.handlers
        if isinstance(each.formatter, JsonFormatter) and getattr(each, "stream", None) in streams
    ]


def is_json() -> bool:
    return bool(stderr_handlers())


def log_uncaught() -> None:
    """Log what would be written to stderr from now on, if the log is JSON there.

    Called again after each configuration of logging, whose handlers write to the present stderr.
    """
    logging.setLogRecordFactory(SafeLogRecord)
    handlers = stderr_handlers()
    if not handlers:
        return
    if not isinstance(sys.stderr, LoggedStream):
        buffer = LineBuffer(sys.stderr)
        sys.stderr = LoggedStream(buffer)
        # A child of multiprocessing runs no functions of atexit, but flushes sys.stderr.
        atexit.register(buffer.flush)
    for handler in handlers:
        handler.setStream(sys.stderr.stream)
    logging.captureWarnings(True)
    # The source line of a warning, which logging appends, is on a line of its own.
    warnings.formatwarning = _format_warning
    sys.excepthook = _log_exception
    threading.excepthook = _log_exception_of_thread
    sys.unraisablehook = _log_unraisable


@contextlib.contextmanager
def logged_exit() -> Iterator[None]:
    """Log the message of a SystemExit, a line of the log for each of its lines, if the log is JSON;
    what remains of it is the exit status 1."""
    log_uncaught()
    try:
        yield
    except SystemExit as error:
        if isinstance(error.code, str) and is_json():
            for line in error.code.splitlines():
                log.critical("%s", line)
            error.code = 1
        raise


def log_and_exit() -> NoReturn:
    """Log the exception that is handled now, and end the process with status 1.

    multiprocessing writes a traceback to stderr itself for what a process does not catch.
    """
    log.critical("A worker cannot start", exc_info=True)
    sys.exit(1)


def _format_warning(
    message: Any, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return f"{filename}:{lineno}: {category.__name__}: {message}"


def _log_exception(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        log.info("Interrupted")
    else:
        log.critical("Uncaught exception", exc_info=(kind, error, trace))


def _log_exception_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread is not None else "a thread"
        error = args.exc_value or args.exc_type()
        exc_info = (args.exc_type, error, args.exc_traceback)
        log.critical("Uncaught exception in %s", name, exc_info=exc_info)


def _log_unraisable(args: Any) -> None:
    error = args.exc_value or args.exc_type()
    exc_info = (args.exc_type, error, args.exc_traceback)
    what = args.err_msg or "Exception ignored in"
    log.error("%s %r", what, args.object, exc_info=exc_info)
