"""``--growth``: what rows take of the disk, and writes of the WAL."""

# ruff: noqa: T201 (the output of a command)

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import psycopg

from benchmarks.dataset import Dataset
from benchmarks.environment import Environment, migrate
from benchmarks.table import markdown

USERS = 400
JOBS_EACH = 5
NOTES_EACH = 3
# The statuses of a job after the first, each of which is a step and an entry of the activity.
STATUSES = ("recruiter_screen", "interviewing", "rejected")
# Of each kind of write, to different jobs.
WRITES = 500
NOTE = "They called back about the second round. " + "We talked about the team. " * 10
COMPRESSIONS = ("off", "pglz")

INSERT_USERS = """
    INSERT INTO users (id, cognito_sub, email, name) OVERRIDING SYSTEM VALUE
    SELECT n, gen_random_uuid(), 'user' || n || '@example.com', 'User ' || n
    FROM generate_series(1, %(users)s::int) n
"""
INSERT_JOB = """
    INSERT INTO jobs (user_id, company_name, job_title, location, job_url, tags, applied_date)
    VALUES (%(user)s, 'Company ' || %(user)s, 'Engineer, level 3', 'Vienna',
            'https://jobs.example.com/postings/' || %(user)s, ARRAY['python', 'remote'],
            current_date)
    RETURNING id
"""
TOUCH = """
    UPDATE jobs SET last_activity_at = statement_timestamp()
    WHERE user_id = %(user)s AND id = %(job)s
"""
INSERT_NOTE = """
    INSERT INTO notes (user_id, application_id, body) VALUES (%(user)s, %(job)s, %(body)s)
"""
SET_STATUS = """
    UPDATE jobs SET status = %(status)s, last_activity_at = statement_timestamp()
    WHERE user_id = %(user)s AND id = %(job)s
"""
SIZES = """
    SELECT relname, n_live_tup, pg_table_size(relid), pg_indexes_size(relid),
           n_tup_upd, n_tup_hot_upd
    FROM pg_stat_user_tables WHERE n_live_tup >= %(users)s ORDER BY relname
"""


def report(environment: Environment) -> None:
    """Print the tables."""
    url = environment.postgres.make_database("growth")
    migrate(dataclasses.replace(environment, database_url=url, dataset=Dataset(0)))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        jobs = _grow(connection)
        print(f"\n{_sizes(connection)}\n")
        print(_wal(connection, jobs))


def _grow(connection: psycopg.Connection[Any]) -> list[tuple[int, int]]:
    """Insert users, jobs, notes and steps, those of different users in turn; return user and id of
    the jobs."""
    connection.execute(INSERT_USERS, {"users": USERS})
    jobs = [
        (user, connection.execute(INSERT_JOB, {"user": user}).fetchall()[0][0])
        for _ in range(JOBS_EACH)
        for user in range(1, USERS + 1)
    ]
    for _ in range(NOTES_EACH):
        for user, job in jobs:
            _insert_note(connection, user, job)
    for status in STATUSES:
        for user, job in jobs:
            connection.execute(SET_STATUS, {"user": user, "job": job, "status": status})
    connection.execute("VACUUM (ANALYZE)")
    return jobs


def _insert_note(connection: psycopg.Connection[Any], user: int, job: int) -> None:
    with connection.transaction():
        connection.execute(TOUCH, {"user": user, "job": job})
        connection.execute(INSERT_NOTE, {"user": user, "job": job, "body": NOTE})


def _sizes(connection: psycopg.Connection[Any]) -> str:
    connection.execute("SELECT pg_stat_force_next_flush()")
    rows = []
    for name, number, table, indexes, updated, hot in connection.execute(SIZES, {"users": USERS}):
        sizes = [f"{size / number:.0f}" for size in (table, indexes, table + indexes)]
        share = f"{hot / updated * 100:.0f} %" if updated else ""
        rows.append([name, f"{number}", *sizes, share])
    head = (
        "Table",
        "rows",
        "bytes of the table per row",
        "of its indexes",
        "in all",
        "HOT updates",
    )
    return markdown(head, rows)


def _wal(connection: psycopg.Connection[Any], jobs: list[tuple[int, int]]) -> str:
    """A table of the WAL of writes: the first ones to their pages after a checkpoint, of which the
    whole pages are written, and those that follow."""
    some = random.Random(1).sample(jobs, WRITES)  # noqa: S311
    statuses = {job: number for number, (_user, job) in enumerate(some)}

    def patch(user: int, job: int) -> None:
        statuses[job] += 1
        status = ("offer", "ghosted", "withdrawn", "onsite")[statuses[job] % 4]
        connection.execute(SET_STATUS, {"user": user, "job": job, "status": status})

    writes: dict[str, Callable[[int, int], Any]] = {
        "a new job": lambda user, _job: connection.execute(INSERT_JOB, {"user": user}),
        "a change of status": patch,
        "a new note": lambda user, job: _insert_note(connection, user, job),
    }
    rows = []
    for name, write in writes.items():
        cells = []
        for compression in COMPRESSIONS:
            connection.execute(f"SET wal_compression = {compression}".encode())
            connection.execute("CHECKPOINT")
            for _ in range(2):
                before = _position(connection)
                for user, job in some:
                    write(user, job)
                cells.append(f"{(_position(connection) - before) / WRITES:.0f}")
        rows.append([name, *cells])
    names = [
        f"{when}, wal_compression {each}" for each in COMPRESSIONS for when in ("first", "next")
    ]
    return markdown(["Bytes of WAL", *names], rows)


def _position(connection: psycopg.Connection[Any]) -> int:
    query = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
    return int(connection.execute(query).fetchall()[0][0])
