"""``/jobs/{job_id}/interviews``."""

from pyramid.request import Request

from jobtracker.fields import ListOf, Rendered
from jobtracker.http.deletion import DeletionQuery
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.rate_limits import INTERVIEWS_BY_USER
from jobtracker.http.service import ApiService, set_location
from jobtracker.interviews.queries import InterviewRow
from jobtracker.interviews.resources import InterviewCollection, InterviewResource
from jobtracker.interviews.schemas import INTERVIEW_PATCH, InterviewIn, InterviewOut
from jobtracker.permissions import Permission

interviews = ApiService("interviews", "/jobs/{job_id}/interviews", context=InterviewCollection)
interview = ApiService(
    "interview", "/jobs/{job_id}/interviews/{interview_id}", context=InterviewResource
)


@interviews.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(InterviewOut()))
def get_interviews(request: Request) -> Rendered:
    """The interviews for a job, the last one first."""
    return paginate(request, request.context.page, **request.validated)


@interviews.post(
    permission=Permission.WRITE,
    body=InterviewIn(),
    returns=InterviewOut(),
    status=201,
    errors=(409,),
    rate_limits=[INTERVIEWS_BY_USER],
)
def post_interview(request: Request) -> InterviewRow:
    """Write down an interview. The number of interviews of a job has a quota."""
    return set_location(request, request.context.add(**request.validated)).row


@interview.get(permission=Permission.READ, returns=InterviewOut())
def get_interview(request: Request) -> InterviewRow:
    """One interview."""
    return request.context.row


@interview.patch(permission=Permission.WRITE, body=INTERVIEW_PATCH, returns=InterviewOut())
def patch_interview(request: Request) -> InterviewRow:
    """Change some fields (JSON Merge Patch): null clears."""
    return request.context.update(**request.validated)


@interview.delete(permission=Permission.WRITE, query=DeletionQuery(), status=204)
def delete_interview(request: Request) -> None:
    """Put an interview into the trash, from which it is deleted after some days.
    `permanent=true` deletes it now."""
    request.context.delete(**request.validated)
