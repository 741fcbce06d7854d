"""Whether the database responds within a second, and has the schema that this program needs.

For ``/ready``. The primary is asked, by the pool that requests use; a replica is not needed.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import psycopg
from pyramid_retry import IRetryableError

from jobtracker.db.checks import COLUMNS, Migrations, first_line, missing_columns
from jobtracker.errors import DATABASE_ERRORS

log = logging.getLogger(__name__)

# Seconds for the database.
SECONDS = 1.0

VERSIONS = "SELECT version_num FROM alembic_version"

#: What is missing, and why.
Problem = tuple[str, str]
TOO_SLOW = ("database", f"It does not respond within {SECONDS:g} second.")


class DatabaseCheck:
    """The latest check, of which one runs at a time, in a thread of its own: its time-outs are
    those of requests, and longer than SECONDS.

    Its result is that of requests which were queued meanwhile, too: they do not wait for a check
    each, one after the other.

    :param connect: returns a connection in autocommit mode
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        #: Without them only the columns are checked.
        self.migrations: Migrations | None = None
        self._lock = threading.Lock()
        self._result: Future[Problem | None] | None = None
        self._began = self._ended = 0.0
        self._logged: Problem | None = None

    def problem(self, queued_seconds: float = 0) -> Problem | None:
        """What is missing, or None, in SECONDS.

        :param queued_seconds: for which the request has waited already
        """
        arrived = time.monotonic() - queued_seconds
        with self._lock:
            if self._result is None or (self._result.done() and arrived >= self._ended):
                self._began = time.monotonic()
                self._result = Future()
                thread = threading.Thread(target=self._run, args=[self._result], daemon=True)
                thread.start()
            result, deadline = self._result, self._began + SECONDS
        try:
            problem = result.result(max(0, deadline - time.monotonic()))
        except TimeoutError:
            problem = TOO_SLOW
        self._log(problem)
        return problem

    def _run(self, result: "Future[Problem | None]") -> None:
        try:
            problem = self._check()
        except DATABASE_ERRORS as error:
            log.debug("The check of the database failed: %s", first_line(error))
            problem = ("database", "It is not available.")
        except BaseException:
            log.exception("Unexpected error in the check of the database")
            problem = ("database", "It could not be checked.")
        self._ended = time.monotonic()
        if problem is None and self._ended - self._began > SECONDS:
            problem = TOO_SLOW
        result.set_result(problem)

    def _check(self) -> Problem | None:
        try:
            return self._schema_problem()
        except DATABASE_ERRORS as error:
            if not IRetryableError.providedBy(error):
                raise
        return self._schema_problem()  # the connection was lost, while it was idle perhaps

    def _schema_problem(self) -> Problem | None:
        connection = self._connect()
        try:
            revisions = {revision for (revision,) in connection.execute(VERSIONS)}
            if self.migrations is not None:
                if revisions == self.migrations.heads:
                    return None
                if revisions <= self.migrations.known:
                    return "schema", "It is older than this release needs: migrate the database."
            if missing_columns({name for (name,) in connection.execute(COLUMNS.text.strip())}):
                return "schema", "It lacks what this release needs: migrate the database."
        except psycopg.errors.UndefinedTable:
            return "schema", "There is none: migrate the database."
        finally:
            connection.close()
        return None

    def _log(self, problem: Problem | None) -> None:
        """Log a change."""
        with self._lock:
            before, self._logged = self._logged, problem
        if problem != before:
            if problem is None:
                log.warning("Ready again")
            else:
                log.warning("Not ready: the %s is missing. %s", *problem)


def includeme(config: Any) -> None:
    registry = config.registry
    # Looked up at each check, as requests do.
    registry["database_check"] = DatabaseCheck(lambda: registry["db_autocommit"]())
