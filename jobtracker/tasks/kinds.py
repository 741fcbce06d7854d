"""The kinds of tasks: functions of the feature packages, by the name in the table.

::

    @task_kind("purge", max_failures=None)
    def purge(task: RunningTask) -> None:
        while True:
            with task.batch() as connection:
                deleted = ...  # some hundred rows of task.user_id
                task.done += deleted
            if not deleted:
                return

A function can be interrupted before each batch, and a worker be killed at any moment: the next one
calls it again, with ``done`` and ``total`` as the last batch left them. So it looks for what is
left to do, and its result is made of what is stored.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jobtracker.tasks.runner import RunningTask

# Failures without any progress between them; the last pauses are of an hour. An attempt that begins
# anew is without progress when its worker is killed earlier than one before.
MAX_FAILURES = 40

TaskFunction = Callable[["RunningTask"], dict[str, Any] | None]


class TaskKind(NamedTuple):
    run: TaskFunction
    max_failures: int | None
    is_resumable: bool = True


#: By name.
TASK_KINDS: dict[str, TaskKind] = {}


def task_kind(
    name: str, *, max_failures: int | None = MAX_FAILURES, is_resumable: bool = True
) -> Callable[[TaskFunction], TaskFunction]:
    """Register the function of a kind; its result is that of the task.

    :param max_failures: after which the task has failed; None for never, where it has to be done
    :param is_resumable: whether it goes on where it was interrupted. If not, it is interrupted by
        the end of the worker alone, not to let others have their turn.
    """

    def register(run: TaskFunction) -> TaskFunction:
        TASK_KINDS[name] = TaskKind(run, max_failures, is_resumable)
        return run

    return register
