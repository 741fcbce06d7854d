"""Errors of other systems, of which one line a second is logged: an outage fails each request.

The second is that of all worker processes together, as they share the memory that has its end.
Each process counts what it leaves out, and says how much that was in its next line.
"""

import logging
import mmap
import struct
import threading
import time
from typing import Any, NamedTuple

#: The systems, each of which has a line a second.
SYSTEMS = ("database", "Cognito", "S3", "Turnstile", "rate limits")

INTERVAL = 1.0

# The times, by the clock of all processes, from which the next line is due. Inherited by forks; of
# two processes that read the same time at once both log, which is harmless.
_DUE = struct.Struct("d")
_due = mmap.mmap(-1, _DUE.size * len(SYSTEMS))

_lock = threading.Lock()


class _Line(NamedTuple):
    log: logging.Logger
    message: str
    args: tuple[Any, ...]


class _Omitted:
    """What was left out since the last line of a system."""

    number = 0
    latest: _Line | None = None
    timer: threading.Timer | None = None


_omitted = {system: _Omitted() for system in SYSTEMS}


def log_outage(log: logging.Logger, system: str, message: str, *args: Any) -> None:
    """Log an error of a system, or count it, if one was logged less than a second ago.

    What is counted is reported with the next line, or a second later where no other follows.
    """
    line, omitted = _Line(log, message, args), _omitted[system]
    with _lock:
        if not _is_due(system):
            omitted.number += 1
            omitted.latest = line
            if omitted.timer is None:
                _start_timer(system)
            return
        number, omitted.number = omitted.number, 0
    _write(system, line, number)


def forget() -> None:
    """Log the next error of each system, as if none had been logged: for tests."""
    with _lock:
        _due[:] = bytes(len(_due))
        for omitted in _omitted.values():
            omitted.number = 0


def _is_due(system: str) -> bool:
    """Whether a line is due; the next one is due a second later then."""
    offset, now = _DUE.size * SYSTEMS.index(system), time.monotonic()
    (due,) = _DUE.unpack_from(_due, offset)
    if now < due:
        return False
    _DUE.pack_into(_due, offset, now + INTERVAL)
    return True


def _start_timer(system: str) -> None:
    timer = threading.Timer(INTERVAL, _report, [system])
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError:  # beyond a limit of the system: the next line reports them
        return
    _omitted[system].timer = timer


def _report(system: str) -> None:
    """Log the latest line that was left out, unless another one was logged since."""
    omitted = _omitted[system]
    with _lock:
        omitted.timer = None
        if not omitted.number or omitted.latest is None:
            return
        if not _is_due(system):
            _start_timer(system)
            return
        line, number, omitted.number = omitted.latest, omitted.number - 1, 0
    _write(system, line, number)


def _write(system: str, line: _Line, omitted: int) -> None:
    message, extra = line.message, {"system": system, "omitted": omitted}
    if omitted:
        message += f" (and {omitted} more)"
    line.log.error(message, *line.args, extra=extra)
