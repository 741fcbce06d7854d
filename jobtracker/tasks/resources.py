"""``root["tasks"]``: the tasks of the authenticated user."""

from jobtracker.db.connections import release_autocommit
from jobtracker.tasks.queries import TASKS, TaskRow
from jobtracker.tree import OwnerOnly, Root, RowCollection, RowResource


class TaskResource(RowResource[TaskRow]):
    """``/tasks/3``, which is read-only."""

    kind = "task"


class TaskCollection(OwnerOnly, RowCollection[TaskRow], under=Root, name="tasks"):
    """``/tasks``, which has no URL itself."""

    repository, item_class = TASKS, TaskResource

    def find(self, row_id: int) -> RowResource[TaskRow]:
        _ = self.user  # whose row makes the replica the connection of what follows
        # Of the primary: progress is no change of the user's revision, which replicas wait for.
        release_autocommit(self.request)
        return super().find(row_id)
