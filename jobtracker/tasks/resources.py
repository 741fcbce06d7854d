"""``root["tasks"]``: the tasks of the authenticated user."""

from jobtracker.tasks.queries import TASKS, TaskRow
from jobtracker.tree import OwnerOnly, PrimaryCollection, Root, RowResource


class TaskResource(RowResource[TaskRow]):
    """``/tasks/3``, which is read-only."""

    kind = "task"


class TaskCollection(OwnerOnly, PrimaryCollection[TaskRow], under=Root, name="tasks"):
    """``/tasks``, which has no URL itself."""

    repository, item_class = TASKS, TaskResource
