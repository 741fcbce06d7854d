"""A worker with a kind for tests, by the command ``work``.

Each batch inserts its number, and the process that runs it, into the table ``effects``.
"""

import os
import sys

from jobtracker.commands import execute
from jobtracker.tasks.kinds import task_kind
from jobtracker.tasks.runner import RunningTask

BATCHES = 30
INSERT = "INSERT INTO effects VALUES (%(number)s, %(pid)s)"


@task_kind("example")
def count(task: RunningTask) -> dict[str, int]:
    while task.done < BATCHES:
        with task.batch() as connection:
            connection.execute(INSERT, {"number": task.done, "pid": os.getpid()})
            connection.execute("SELECT pg_sleep(0.05)")
            task.done, task.total = task.done + 1, BATCHES
    return {"counted": task.done}


def program() -> None:
    execute(sys.argv[1:])
