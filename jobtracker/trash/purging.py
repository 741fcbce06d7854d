"""Deletes what is in the trash for good: in tasks of users, and when it has been there for long.

Each batch is a transaction, and looks for what is left to do: so it goes on after an interruption,
and concurrent ones are safe. Triggers queue the deletions of objects in S3.
"""

import datetime
from collections.abc import Iterator
from typing import Any

from pyramid.events import subscriber
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.batches import sum_over
from jobtracker.db.connections import transaction
from jobtracker.db.statements import database_time
from jobtracker.db.trash import EMPTY_TRASH, Trashable
from jobtracker.documents.object_deletions import process_all
from jobtracker.jobs.models import Job
from jobtracker.jobs.resources import JobResource
from jobtracker.tasks.kinds import task_kind
from jobtracker.tasks.queries import enqueue
from jobtracker.tasks.runner import RunningTask
from jobtracker.trash import purge_queries as queries
from jobtracker.tree import ResourceDeleted

# Users of one statement of the sweeper.
USERS = 1000

PURGE = "purge"


@subscriber(ResourceDeleted)
def enqueue_purge(event: ResourceDeleted) -> None:
    """Leave a job, which can have thousands of rows, to a task."""
    if isinstance(event.resource, JobResource):
        enqueue(event.request.connection, event.resource.row.user_id, PURGE)


@task_kind(PURGE, max_failures=None)
def purge(task: RunningTask) -> dict[str, Any]:
    """Delete the jobs of the user that are marked."""
    with task.batch() as connection:
        task.total = task.done + queries.count_jobs(connection, task.user_id)
    _purge_jobs(task)
    process_all(task)
    return {"purged": task.done}


@task_kind(EMPTY_TRASH, max_failures=None)
def empty_trash(task: RunningTask) -> dict[str, Any]:
    """Delete what was in the trash of the user when the task was queued."""
    before = datetime.datetime.fromisoformat(task.args["before"])
    kinds = task.args["kinds"]
    with task.batch() as connection:
        left = sum(queries.count(connection, task.user_id, kind, before) for kind in kinds)
        task.total = task.done + left + queries.count_jobs(connection, task.user_id)
    for kind in kinds:
        number = None
        while number != 0:
            with task.batch() as connection:
                number = queries.delete_batch(connection, task.user_id, kind, before)
                if kind != Job.trash_kind:  # a job is deleted below
                    task.done += number
    _purge_jobs(task)
    process_all(task)
    return {"purged": task.done}


def _purge_jobs(task: RunningTask) -> None:
    while True:
        with task.batch() as connection:
            jobs = queries.delete_jobs_batch(connection, task.user_id)
            task.done += jobs or 0
        if jobs is None:
            return


def purge_expired(sessions: sessionmaker[Session], period: datetime.timedelta) -> int:
    """Delete what has been in the trash of any user for a period or longer; return the number of
    things."""
    with transaction(sessions) as connection:
        before = database_time(connection) - period
    expired = _users_and_kinds(sessions, before)
    return sum_over(expired, lambda each: _purge_expired_of(sessions, *each, before))


def _users_and_kinds(
    sessions: sessionmaker[Session], before: datetime.datetime
) -> Iterator[tuple[int, str]]:
    """Who has had which kinds of things in the trash since before a time."""
    for kind in Trashable.by_kind:
        last, users = 0, [0]
        while users:
            with transaction(sessions) as connection:
                users = queries.users_of_trash(connection, kind, before, last, USERS)
            yield from ((user_id, kind) for user_id in users)
            last = users[-1] if users else 0


def _purge_expired_of(
    sessions: sessionmaker[Session], user_id: int, kind: str, before: datetime.datetime
) -> int:
    purged = 0
    while True:
        with transaction(sessions) as connection:
            found = queries.delete_batch(connection, user_id, kind, before)
        if not found:
            break
        purged += found
    while kind == Job.trash_kind:  # those are only marked
        with transaction(sessions) as connection:
            if queries.delete_jobs_batch(connection, user_id) is None:
                break
    return purged
