"""The worker: it runs tasks as they come, and cleans up every ``sweeper.interval`` seconds.

It is the process of ``jobtracker work production.ini``, and a thread of the development server.
"""

import contextlib
import logging
import os
import threading
from typing import Any

from sqlalchemy import event

from jobtracker.db.checks import first_line
from jobtracker.errors import DATABASE_ERRORS
from jobtracker.logs.outages import log_outage
from jobtracker.sweep import clean_up, make_sessions
from jobtracker.tasks.notifications import Notifications
from jobtracker.tasks.runner import Interrupted, Runner

log = logging.getLogger(__name__)

# Seconds until a task is looked at again that is due, but that another worker has locked.
MIN_WAIT = 0.5


class Worker:
    """What runs tasks until :meth:`stop` is called, by a handler of signals or another thread."""

    def __init__(self, registry: Any) -> None:
        self.registry = registry
        self._stopping = threading.Event()
        self._stop_reader, self._stop_writer = os.pipe()
        self._sessions = make_sessions(registry.settings)
        self._runner = Runner(registry, self._sessions, self._stopping.is_set)
        self._notifications = Notifications(registry["db_engine"], self._stop_reader)

    def stop(self) -> None:
        """Begin no further batch, which is one transaction; the task at hand is queued again."""
        self._stopping.set()
        os.write(self._stop_writer, b"\0")

    def run(self) -> None:
        interval = self.registry.settings["sweeper.interval"]
        log.info("Working: tasks as they come, and the cleanup every %s seconds", interval)
        sweeping = threading.Thread(target=self._sweep, args=[interval], daemon=True)
        sweeping.start()
        try:
            while not self._stopping.is_set():
                self._notifications.wait(self._run_tasks())
            sweeping.join()
        finally:
            self._notifications.close()
            self._sessions.kw["bind"].dispose()
        log.info("Stopped")

    def _run_tasks(self) -> float | None:
        """Run the tasks that are due; return the seconds until the next one is."""
        try:
            self._notifications.listen()  # before, so that what is queued meanwhile wakes it
            self._runner.run_due()
            seconds = self._runner.seconds_until_due()
        except DATABASE_ERRORS as error:
            log_outage(log, "database", "Tasks wait: PostgreSQL: %s", first_line(error))
            self._notifications.close()
            return None
        return None if seconds is None else max(seconds, MIN_WAIT)

    def _sweep(self, interval: int) -> None:
        sessions = make_sessions(self.registry.settings)

        @event.listens_for(sessions, "after_begin")
        def check_stopping(*_arguments: object) -> None:
            if self._stopping.is_set():
                raise Interrupted

        with contextlib.suppress(Interrupted):
            while not self._stopping.is_set():
                counts, errors = clean_up(self.registry, sessions)
                for error in errors:
                    log.error("%s", error)
                if any(character in counts for character in "123456789"):
                    log.info("%s", counts)
                self._stopping.wait(interval)
        sessions.kw["bind"].dispose()
