"""The tasks of a database whose workers are killed."""

import contextlib
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from tests.torture.instance import Instance

Rows = psycopg.Connection[Any]

SECONDS_TO_END = 600


def make_due(rows: Rows, states: list[str]) -> None:
    """End pauses and, of workers that were killed, leases."""
    rows.execute("UPDATE tasks SET run_after = now() WHERE state = ANY (%s)", [states])
    rows.execute("NOTIFY jobtracker_tasks")


def is_finished(rows: Rows) -> bool:
    return rows.execute("SELECT FROM tasks WHERE finished_at IS NULL").fetchone() is None


def attempts(rows: Rows) -> int:
    (number,) = rows.execute("SELECT sum(attempts) FROM tasks").fetchone() or (0,)
    return int(number)


@contextlib.contextmanager
def worker(server: Instance) -> Iterator[subprocess.Popen[bytes]]:
    """A worker, which gets SIGKILL at the end of the block; its log is in the server's folder."""
    with (server.folder / "workers").open("ab") as log:
        process = server.program("jobtracker", "work", str(server.ini), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kill_workers(
    server: Instance,
    rows: Rows,
    number: int,
    seconds: tuple[float, float],
    after_kill: Callable[[int], object] = lambda _kills: None,
) -> int:
    """Run the tasks by workers that get SIGKILL one after the other, until all are finished.

    :param number: of workers, at most
    :param seconds: for which each works, at least and at most
    :param after_kill: called with the number of kills until then
    :returns: the number of kills
    """
    kills = 0
    while kills < number and not is_finished(rows):
        taken = attempts(rows)
        with worker(server) as process:
            while attempts(rows) == taken and not is_finished(rows):
                assert process.poll() is None
                time.sleep(0.02)
            time.sleep(random.uniform(*seconds))  # noqa: S311 (no secret)
        kills += 1
        after_kill(kills)
        make_due(rows, ["queued", "running"])
    return kills


def finish(server: Instance, rows: Rows) -> None:
    """Run the tasks by a worker until all are finished."""
    deadline = time.monotonic() + SECONDS_TO_END
    with worker(server):
        while not is_finished(rows):
            assert time.monotonic() < deadline, rows.execute("TABLE tasks").fetchall()
            make_due(rows, ["queued"])
            time.sleep(0.2)


def sweep_deletions(server: Instance, rows: Rows) -> None:
    """Delete all objects in S3 without a row, as the sweeper does at last."""
    rows.execute("UPDATE object_deletions SET repeat_until = now()")
    deadline = time.monotonic() + SECONDS_TO_END
    while rows.execute("SELECT FROM object_deletions").fetchone() is not None:
        assert time.monotonic() < deadline
        server.program("jobtracker-sweep", str(server.ini), stderr=subprocess.DEVNULL).wait()
