"""``/jobs``."""

from collections.abc import Sequence
from typing import Any

from pyramid.request import Request

from jobtracker.fields import ListOf
from jobtracker.http.pagination import paginate
from jobtracker.http.service import ApiService, ThreadPool, set_location
from jobtracker.jobs.queries import JobRow
from jobtracker.jobs.resources import JobCollection, JobResource
from jobtracker.jobs.schemas import JOB_PATCH, JobFilters, JobIn, JobOut, JobWithNotesOut
from jobtracker.permissions import Permission

JOB_OUT = JobOut()

jobs = ApiService("jobs", "/jobs", context=JobCollection)
job = ApiService("job", "/jobs/{job_id}", context=JobResource)


@jobs.get(permission=Permission.READ, query=JobFilters(), returns=ListOf(JOB_OUT))
def get_jobs(request: Request) -> Sequence[JobRow]:
    """Your jobs, those with the latest activity first. Filters are ANDed, blank ones ignored. Where
    there are more than the limit, the header `Link` leads to the next page."""
    return paginate(request, request.context.page, **request.validated)


@jobs.post(
    permission=Permission.WRITE, body=JobIn(), returns=JOB_OUT, status=201, single_statement=True
)
def post_job(request: Request) -> JobRow:
    """Keep track of one more job."""
    return set_location(request, request.context.create(**request.validated)).row


@job.get(permission=Permission.READ, returns=JobWithNotesOut())
def get_job(request: Request) -> dict[str, Any]:
    """One job, with its notes, newest first."""
    return {**JOB_OUT.dump(request.context.row), "notes": request.context["notes"].list()}


@job.patch(
    permission=Permission.WRITE,
    body=JOB_PATCH,
    returns=JOB_OUT,
    if_match=JOB_OUT,
    single_statement=True,
)
def patch_job(request: Request) -> JobRow:
    """Change some fields (JSON Merge Patch): null clears, tags replace all tags."""
    return request.context.update(request.versions, **request.validated)


@job.delete(
    permission=Permission.WRITE, status=204, if_match=JOB_OUT, thread_pool=ThreadPool.GATEWAY
)
def delete_job(request: Request) -> None:
    """Forget a job, with its notes and documents."""
    request.context.delete(request.versions)
