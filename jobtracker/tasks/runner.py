"""The runner of tasks, each of which one worker has at a time.

A worker takes a task for the time of a lease, which each batch of the task renews. When it is
killed, the lease ends, and another worker goes on. When its lease has ended without that, as after
a long wait for S3, the batch that it has begun is rolled back if another worker has taken the task:
the random number of its lease is then another one (a fencing token), after a restore of the
database too. A batch is one transaction, so each has its effect once.
"""

import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.connections import TransactionConnection, transaction
from jobtracker.errors import DATABASE_ERRORS, Unavailable
from jobtracker.tasks import lease_queries as queries
from jobtracker.tasks.kinds import TASK_KINDS
from jobtracker.tasks.lease_queries import Lease, TaskKey
from jobtracker.tasks.models import TaskState

log = logging.getLogger(__name__)

# Seconds until the second attempt, and at most: the pause doubles with each failure.
FIRST_PAUSE, LONGEST_PAUSE = 2, 3600
# Seconds after which others that are due have their turn.
TURN = 10
# A task pauses before each batch for half as long as it has worked, at most for so many seconds, in
# which requests have the processors and the disk.
LONGEST_REST = 0.25
# Tasks that are looked for at once: other workers take the first ones.
CANDIDATES = 20


class Interrupted(BaseException):
    """No further batch is begun: the worker ends, or others have their turn."""


class LeaseLost(Interrupted):
    """Another worker has taken the task."""


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    #: It is tried again after a pause.
    POSTPONED = "postponed"
    #: Another worker, or this one, goes on with it.
    INTERRUPTED = "interrupted"


class RunningTask:
    """A task that a worker runs: what its function works with.

    ``done`` and ``total`` are its progress: set within a batch, whose end stores them.
    """

    def __init__(
        self,
        lease: Lease,
        registry: Any,
        sessions: sessionmaker[Session],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.lease, self.registry = lease, registry
        self.user_id, self.args = lease.user_id, lease.args
        self.done, self.total = lease.done, lease.total
        #: Since it was taken: set by a batch whose ``done`` grows, and by functions of what is not
        #: counted there.
        self.has_progressed = False
        self.sessions, self._is_stopping = sessions, is_stopping
        turn = TURN if TASK_KINDS[lease.kind].is_resumable else math.inf
        self._resumed_at = time.monotonic()
        self._turn_ends = self._resumed_at + turn

    def __str__(self) -> str:
        return f"Task {self.lease.id} ({self.lease.kind}) of user {self.user_id}"

    @property
    def failures(self) -> int:
        """The attempts that failed since the last progress."""
        return 0 if self.has_progressed else self.lease.failures

    @contextlib.contextmanager
    def batch(self) -> Iterator[TransactionConnection]:
        """A transaction, which renews the lease and stores the progress. It is short: some hundred
        rows.

        :raises Interrupted: to be passed on; nothing of the batch is committed
        """
        time.sleep(min((time.monotonic() - self._resumed_at) / 2, LONGEST_REST))
        self._resumed_at = time.monotonic()
        is_turn_over = self.has_progressed and time.monotonic() > self._turn_ends
        if is_turn_over or self._is_stopping():
            raise Interrupted
        before = self.done, self.total, self.has_progressed
        try:
            with transaction(self.sessions) as connection:
                if not queries.lock(connection, self.lease):
                    raise LeaseLost
                yield connection
                self.has_progressed |= self.done > self.lease.done
                progress = self.lease._replace(
                    done=self.done, total=self.total, failures=self.failures
                )
                if not queries.renew(connection, progress, self.registry.settings["tasks.lease"]):
                    raise LeaseLost
        except BaseException:
            self.done, self.total, self.has_progressed = before
            raise


class Runner:
    """The loop over the tasks that are due, one after the other."""

    def __init__(
        self,
        registry: Any,
        sessions: sessionmaker[Session],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.registry, self.sessions, self.is_stopping = registry, sessions, is_stopping

    def run_due(self) -> Counter[Outcome]:
        """Run tasks until none is due; return the number of each outcome."""
        outcomes: Counter[Outcome] = Counter()
        while not self.is_stopping():
            with transaction(self.sessions) as connection:
                due = queries.find_due(connection, TASK_KINDS, CANDIDATES)
            taken = [outcome for task in due if (outcome := self.run_one(task)) is not None]
            outcomes.update(taken)
            if not taken:
                break
        return outcomes

    def seconds_until_due(self) -> float | None:
        """The time until the next task is due; None where there is none."""
        with transaction(self.sessions) as connection:
            return queries.seconds_until_due(connection, TASK_KINDS)

    def run_one(self, task: TaskKey) -> Outcome | None:
        """Run a task, unless another worker does, or this one ends."""
        if self.is_stopping():
            return None
        with transaction(self.sessions) as connection:
            lease = queries.take(connection, task, self.registry.settings["tasks.lease"])
        return None if lease is None else self._run(lease)

    def _run(self, lease: Lease) -> Outcome:
        task = RunningTask(lease, self.registry, self.sessions, self.is_stopping)
        try:
            if _is_given_up(lease.kind, lease.failures):  # its workers ended without an error
                return self._fail(task, lease.failures, "LeaseEnded")
            result = TASK_KINDS[lease.kind].run(task)
            with transaction(self.sessions) as connection:
                if not queries.finish(connection, lease, TaskState.DONE, result=result):
                    raise LeaseLost
            return Outcome.DONE
        except LeaseLost:
            log.warning("%s: another worker has taken it", task)
            return Outcome.INTERRUPTED
        except Interrupted:
            with transaction(self.sessions) as connection:
                queries.queue_again(connection, lease)
            return Outcome.INTERRUPTED
        except (Unavailable, *DATABASE_ERRORS) as error:
            log.warning("%s: %s", task, type(error).__name__)
            return self._fail(task, task.failures + 1, type(error).__name__)
        except Exception as error:
            log.exception("%s: unexpected error", task)
            return self._fail(task, task.failures + 1, type(error).__name__)

    def _fail(self, task: RunningTask, failures: int, error: str) -> Outcome:
        """Queue a task again, after a pause, or end it if it has failed too often."""
        with transaction(self.sessions) as connection:
            if _is_given_up(task.lease.kind, failures):
                log.error("%s: has failed %s times, and is given up: %s", task, failures, error)
                queries.finish(connection, task.lease, TaskState.FAILED, error=error)
                return Outcome.FAILED
            pause = min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)
            queries.queue_again(connection, task.lease, pause, error)
            return Outcome.POSTPONED


def _is_given_up(kind: str, failures: int) -> bool:
    max_failures = TASK_KINDS[kind].max_failures
    return max_failures is not None and failures >= max_failures
