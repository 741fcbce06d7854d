"""The tasks that delete an account, or disable it for the grace days.

What is deleted at Cognito or in S3 is so before the row that tells of it.
"""

import logging
from collections.abc import Callable
from typing import Any

from jobtracker.accounts import queries
from jobtracker.audit.models import AuditKind
from jobtracker.auth import queries as auth
from jobtracker.documents.object_deletions import process_all
from jobtracker.errors import Unavailable
from jobtracker.tasks.kinds import task_kind
from jobtracker.tasks.runner import RunningTask
from jobtracker.users import deletion_queries
from jobtracker.users.resources import DELETE_ACCOUNT, DISABLE_ACCOUNT

log = logging.getLogger(__name__)


@task_kind(DISABLE_ACCOUNT, max_failures=None)
def disable_account(task: RunningTask) -> None:
    """Disable the account at Cognito, unless the deletion was undone."""
    with task.batch() as connection:
        # The lock: an undo enables the account before or after this.
        user = deletion_queries.lock(connection, task.user_id)
        if user is not None and user.deletion_requested_at is not None:
            task.registry["cognito_admin"].disable_user(user.cognito_sub)


@task_kind(DELETE_ACCOUNT, max_failures=None)
def delete_account(task: RunningTask) -> dict[str, Any]:
    """Delete the rows and objects of a user, the account at Cognito, and at last the user."""
    with task.batch() as connection:
        user = deletion_queries.find(connection, task.user_id)
    if user is not None and user.deletion_requested_at is None:
        return {"deleted": 0}  # a task that was queued otherwise than by a request
    is_left = True
    while is_left:
        _delete_rows(task)
        # Each as far as it can: an outage of one does not delay the other.
        failures = [_failure_of(step, task) for step in (_delete_at_cognito, process_all)]
        for failure in failures:
            if failure is not None:
                raise failure
        is_left = not _delete_user(task)
    process_all(task)
    return {"deleted": task.done}


def _delete_rows(task: RunningTask) -> None:
    deleted = 1
    while deleted:
        with task.batch() as connection:
            if task.total is None:
                queries.delete_tasks(connection, task.user_id, task.lease.id)
                task.total = queries.count(connection, task.user_id)
            deleted = queries.delete_batch(connection, task.user_id)
            task.done += deleted


def _failure_of(step: Callable[[RunningTask], None], task: RunningTask) -> Unavailable | None:
    try:
        step(task)
    except Unavailable as error:
        return error
    return None


def _delete_at_cognito(task: RunningTask) -> None:
    with task.batch() as connection:
        user = deletion_queries.find(connection, task.user_id)
    if user is None or user.cognito_deleted_at is not None:
        return
    task.registry["cognito_admin"].delete_user(user.cognito_sub)
    with task.batch() as connection:
        deletion_queries.set_cognito_deleted(connection, task.user_id)


def _delete_user(task: RunningTask) -> bool:
    """Delete the user and what requests have inserted that had begun before; return whether that
    was all."""
    with task.batch() as connection:
        # Waits for such requests; no other can refer to the user any more.
        user = deletion_queries.lock(connection, task.user_id)
        if user is None:
            return True
        deleted = queries.delete_batch(connection, task.user_id)
        task.done += deleted
        if deleted >= queries.BATCH:
            return False
        queries.delete_tasks(connection, task.user_id, task.lease.id)
        auth.delete_sign_in_networks(connection, user.email)
        deletion_queries.delete_user(connection, user)
        queries.record(connection, task.user_id, AuditKind.ACCOUNT_DELETED)
    log.info("The account of user %s is deleted", task.user_id)
    return True
