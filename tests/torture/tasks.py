"""The tasks of a database whose workers are killed."""

import psycopg


def make_due(rows: psycopg.Connection, states: list[str]) -> None:
    """End pauses and, of workers that were killed, leases."""
    rows.execute("UPDATE tasks SET run_after = now() WHERE state = ANY (%s)", [states])
    rows.execute("NOTIFY jobtracker_tasks")


def is_finished(rows: psycopg.Connection) -> bool:
    return rows.execute("SELECT FROM tasks WHERE finished_at IS NULL").fetchone() is None


def attempts(rows: psycopg.Connection) -> int:
    (number,) = rows.execute("SELECT sum(attempts) FROM tasks").fetchone() or (0,)
    return int(number)
