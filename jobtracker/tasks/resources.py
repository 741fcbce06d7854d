"""``root["tasks"]``: the tasks of the authenticated user."""

from collections.abc import Mapping
from typing import Any, cast

from jobtracker.tasks import queries
from jobtracker.tasks.queries import TASKS, TaskRow
from jobtracker.tree import OwnerOnly, PrimaryCollection, Resource, Root, RowResource


class TaskResource(RowResource[TaskRow]):
    """``/tasks/3``, which is read-only."""

    kind = "task"


class TaskCollection(OwnerOnly, PrimaryCollection[TaskRow], under=Root, name="tasks"):
    """``/tasks``, which has no URL itself."""

    repository, item_class = TASKS, TaskResource


def enqueue(resource: Resource, kind: str, args: Mapping[str, Any]) -> TaskResource:
    """Queue a task of the authenticated user: :func:`queries.enqueue`."""
    task_id = queries.enqueue(resource.connection, resource.user.id, kind, args)
    tasks = cast(TaskCollection, Root(resource.request)["tasks"])
    return cast(TaskResource, tasks[task_id])
