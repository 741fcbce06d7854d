"""``/jobs/{job_id}/details``."""

from typing import Any

from pyramid.request import Request

from jobtracker.details.resources import DetailsResource
from jobtracker.details.schemas import DetailsOut, DetailsQuery
from jobtracker.http.pagination import cursor_scope
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission

details = ApiService("details", "/jobs/{job_id}/details", context=DetailsResource)


@details.get(permission=Permission.READ, query=DetailsQuery(), returns=DetailsOut())
def get_details(request: Request) -> dict[str, Any]:
    """One job with its notes, its interviews and its latest activity, newest first.
    `next_cursor` is one of the job's list of activity; null when there is no more."""
    details = request.context.read(**request.validated)
    page = details["activity"]
    path = request.context.__parent__["activity"].path
    scope = cursor_scope(request, path)
    cursor = page.next_sort_keys and request.cursors.dumps(page.next_sort_keys, scope)
    return {**details, "activity": {"items": page.rows, "next_cursor": cursor}}
