"""``/jobs``."""

from typing import Any

from pyramid.request import Request

from jobtracker.fields import ListOf, Rendered
from jobtracker.http.deletion import DeletionQuery
from jobtracker.http.pagination import paginate
from jobtracker.http.rate_limits import CREATIONS_BY_USER
from jobtracker.http.service import ApiService, set_location
from jobtracker.jobs.models import EMBEDDED_NOTES
from jobtracker.jobs.queries import JobRow
from jobtracker.jobs.resources import JobCollection, JobResource
from jobtracker.jobs.schemas import JOB_PATCH, JobFilters, JobIn, JobOut, JobWithNotesOut
from jobtracker.permissions import Permission

JOB_OUT = JobOut()

jobs = ApiService("jobs", "/jobs", context=JobCollection)
job = ApiService("job", "/jobs/{job_id}", context=JobResource)


@jobs.get(permission=Permission.READ, query=JobFilters(), returns=ListOf(JOB_OUT))
def get_jobs(request: Request) -> Rendered:
    """Your jobs, those with the latest activity first. Filters are ANDed, blank ones ignored. `q`
    is a part of company, title or location, `tag` a whole tag, `tag_q` a part of one: in any case
    and Unicode form, with any white space, without invisible characters.
    Without a limit these are all, up to 10,000 jobs or 8 MiB. Where there are more, the header
    `Link` leads to the next page."""
    return paginate(request, request.context.page, **request.validated)


@jobs.post(
    permission=Permission.WRITE,
    body=JobIn(),
    returns=JOB_OUT,
    status=201,
    errors=(409,),
    rate_limits=[CREATIONS_BY_USER],
    single_statement=True,
)
def post_job(request: Request) -> JobRow:
    """Keep track of one more job. The number of your jobs has a quota."""
    return set_location(request, request.context.create(**request.validated)).row


@job.get(permission=Permission.READ, returns=JobWithNotesOut())
def get_job(request: Request) -> dict[str, Any]:
    """One job, with its newest 100 notes, newest first. `/jobs/{job_id}/notes` has all of them."""
    notes = request.context["notes"].page(limit=EMBEDDED_NOTES).rows
    return {**JOB_OUT.dump(request.context.row), "notes": notes}


@job.patch(
    permission=Permission.WRITE,
    body=JOB_PATCH,
    returns=JOB_OUT,
    errors=(409,),
    if_match=JOB_OUT,
    single_statement=True,
)
def patch_job(request: Request) -> JobRow:
    """Change some fields (JSON Merge Patch): null clears, tags replace all tags. A new status
    is a step of the history, whose number has a quota; a change back within five minutes takes
    both steps back. The applied date is the time of the first applied step."""
    return request.context.update(request.versions, **request.validated)


@job.delete(permission=Permission.WRITE, query=DeletionQuery(), status=204, if_match=JOB_OUT)
def delete_job(request: Request) -> None:
    """Put a job into the trash, and so its notes, interviews and documents: they cannot be found
    until it is restored, and are deleted after some days. `permanent=true` deletes them now."""
    request.context.delete(request.versions, **request.validated)
