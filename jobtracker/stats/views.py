"""``/jobs/stats``."""

from typing import Any

from pyramid.request import Request

from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.stats.resources import StatsResource
from jobtracker.stats.schemas import FunnelOut, FunnelQuery

funnel = ApiService("funnel", "/jobs/stats/funnel", context=StatsResource, traverse="/jobs/stats")


@funnel.get(
    permission=Permission.READ,
    query=FunnelQuery(),
    returns=FunnelOut(),
    etag=ETagStrategy.BY_ROUNDED_NOW,
)
def get_funnel(request: Request) -> dict[str, Any]:
    """What became of your jobs: of those whose first step is not before `from`, and before `to`.

    `stages` are lead, applied, screening, interview, offer, accepted. `reached` counts the jobs
    that ever had a step of that very kind; a stage that was skipped was not reached. `conversion`
    is the part of those that came to any later stage after they first came to this one: 0 to 1,
    null where no job was and for the last stage. `median_days` is the median, over the jobs that
    were there, of all the time that each spent there; where a job is now counts up to now, to
    ten seconds, except accepted.

    `outcomes` are the jobs that are closed or accepted now, by their status and by the furthest
    stage from lead to offer that they ever were at (`source`, null where there was none). `edges`
    count how often one status came after another.

    To archive a job is to put it away: it counts as what it was before, in `outcomes` and `edges`
    too. A job that is archived while it is open has no outcome, and its time there ends then.
    """
    given = request.validated
    return request.context.funnel(since=given["from"], until=given["to"], now=request.rounded_now)
