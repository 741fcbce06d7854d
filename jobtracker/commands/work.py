"""Clean up every minute (sweeper.interval), until SIGTERM or SIGINT end it after a batch."""

import argparse
import contextlib
import logging
import signal
import threading
from typing import Any

from sqlalchemy import event

from jobtracker.commands import ini
from jobtracker.sweep import clean_up, make_sessions

PARSER = ini.parser()

log = logging.getLogger(__name__)


class Stopped(BaseException):
    """No further batch is begun; each is one transaction."""


def run(arguments: argparse.Namespace) -> None:
    with ini.application(arguments.ini, "work") as registry:
        sessions = registry["db_sessions"] = make_sessions(registry.settings)
        stopping = threading.Event()

        def stop(signal_number: int, _frame: object) -> None:
            signal.signal(signal_number, signal.SIG_DFL)  # a second one does not wait
            stopping.set()

        @event.listens_for(sessions, "after_begin")
        def check_stopping(*_arguments: object) -> None:
            if stopping.is_set():
                raise Stopped

        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, stop)
        log.info("Working, every %s seconds", registry.settings["sweeper.interval"])
        with contextlib.suppress(Stopped):
            work(registry, stopping)
        log.info("Stopped")


def work(registry: Any, stopping: threading.Event) -> None:
    """Clean up, again and again."""
    while not stopping.is_set():
        counts, errors = clean_up(registry)
        for error in errors:
            log.error("%s", error)
        if any(character in counts for character in "123456789"):
            log.info("%s", counts)
        stopping.wait(registry.settings["sweeper.interval"])
