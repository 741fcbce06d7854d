"""``/tasks/{task_id}``."""

from pyramid.request import Request

from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.tasks.queries import TaskRow
from jobtracker.tasks.resources import TaskResource
from jobtracker.tasks.schemas import TaskOut

task = ApiService("task", "/tasks/{task_id}", context=TaskResource)


@task.get(
    permission=Permission.READ,
    returns=TaskOut(),
    etag=ETagStrategy.BY_BODY,  # a worker's progress does not increment the revision
)
def get_task(request: Request) -> TaskRow:
    """Work that takes longer than a request, such as emptying the trash: its state, and how much of
    it is done.

    `total` is null while it is not known, and `result` depends on the kind. A task is kept for 30
    days after its end.
    """
    return request.context.row
