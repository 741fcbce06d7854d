"""What Python writes to stderr itself is logged instead, where the log is JSON.

Warnings, exceptions that no code catches, and the message of a SystemExit: lines of another kind
would be lost to, or break, what reads the log.
"""

import contextlib
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

from jobtracker.logs import JsonFormatter

log = logging.getLogger("jobtracker")


def is_json() -> bool:
    """Whether a handler of the root logger writes JSON."""
    return any(isinstance(each.formatter, JsonFormatter) for each in logging.root.handlers)


def log_uncaught() -> None:
    """Log what the interpreter would write to stderr from now on, if the log is JSON."""
    if not is_json():
        return
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
