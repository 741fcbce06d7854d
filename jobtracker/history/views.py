"""``/jobs/{job_id}/history``."""

from pyramid.request import Request

from jobtracker.fields import ListOf, Rendered
from jobtracker.history.queries import StepRow
from jobtracker.history.resources import HistoryCollection, StepResource
from jobtracker.history.schemas import StepIn, StepOut
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.service import ApiService, set_location
from jobtracker.permissions import Permission

history = ApiService("history", "/jobs/{job_id}/history", context=HistoryCollection)
step = ApiService("step", "/jobs/{job_id}/history/{step_id}", context=StepResource)


@history.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(StepOut()))
def get_history(request: Request) -> Rendered:
    """Which status a job had from when on, in this order. The last is its present status.

    A change of the status is a step; if the status changes back within five minutes, it is none.
    The job's `applied_date` is the time of its first step with status applied: a date of the past
    moves this step, at noon in UTC, or inserts one, unless the job is saved. It does not move steps
    that you posted, nor past the step that follows.
    """
    return paginate(request, request.context.page, **request.validated)


@history.post(
    permission=Permission.WRITE, body=StepIn(), returns=StepOut(), status=201, errors=(409,)
)
def post_step(request: Request) -> StepRow:
    """Say when a job came to a status: now, or in the past. The latest step is the present status.
    The number of steps of a job has a quota."""
    return set_location(request, request.context.record(**request.validated)).row


@step.get(permission=Permission.READ, returns=StepOut())
def get_step(request: Request) -> StepRow:
    """One step."""
    return request.context.row


@step.delete(permission=Permission.WRITE, status=204, errors=(409,))
def delete_step(request: Request) -> None:
    """Take a wrong step back, unless it is the only one."""
    request.context.delete()
