"""``/jobs/{job_id}/details``."""

from typing import Any

from pyramid.request import Request

from jobtracker.api import ApiService
from jobtracker.details.resources import DetailsResource
from jobtracker.details.schemas import DetailsOut, DetailsQuery
from jobtracker.security import Permission

details = ApiService("details", "/jobs/{job_id}/details", context=DetailsResource)


@details.get(permission=Permission.READ, query=DetailsQuery(), returns=DetailsOut())
def get_details(request: Request) -> dict[str, Any]:
    """One job with its notes, its interviews and its latest activity, newest first.
    `next_cursor` is null when there is no more activity."""
    return request.context.read(**request.validated)
