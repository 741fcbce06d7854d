"""``/jobs/{job_id}/history``."""

from collections.abc import Sequence

from pyramid.request import Request

from jobtracker.fields import ListOf
from jobtracker.history.queries import StepRow
from jobtracker.history.resources import HistoryCollection, StepResource
from jobtracker.history.schemas import StepIn, StepOut
from jobtracker.http.service import ApiService, set_location
from jobtracker.permissions import Permission

history = ApiService("history", "/jobs/{job_id}/history", context=HistoryCollection)
step = ApiService("step", "/jobs/{job_id}/history/{step_id}", context=StepResource)


@history.get(permission=Permission.READ, returns=ListOf(StepOut()))
def get_history(request: Request) -> Sequence[StepRow]:
    """Which status a job had from when on, in this order. The last is its present status."""
    return request.context.list()


@history.post(
    permission=Permission.WRITE, body=StepIn(), returns=StepOut(), status=201, errors=(409,)
)
def post_step(request: Request) -> StepRow:
    """Say when a job came to a status: now, or in the past. The latest step is the present status.
    A job has at most 200."""
    return set_location(request, request.context.record(**request.validated)).row


@step.get(permission=Permission.READ, returns=StepOut())
def get_step(request: Request) -> StepRow:
    """One step."""
    return request.context.row


@step.delete(permission=Permission.WRITE, status=204, errors=(409,))
def delete_step(request: Request) -> None:
    """Take a wrong step back, unless it is the only one."""
    request.context.delete()
