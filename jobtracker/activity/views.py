"""``/jobs/{job_id}/activity`` and ``/jobs/metrics/activity``."""

from typing import Any

from pyramid.request import Request

from jobtracker.activity.resources import ActivityCollection, MetricsResource
from jobtracker.activity.schemas import ActivityMetricsOut, ActivityOut, ActivityQuery, MetricsQuery
from jobtracker.fields import ListOf, Rendered
from jobtracker.http.conditional import ETagStrategy
from jobtracker.http.pagination import paginate
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission

activity = ApiService("activity", "/jobs/{job_id}/activity", context=ActivityCollection)
metrics = ApiService(
    "activity_metrics", "/jobs/metrics/activity", context=MetricsResource, traverse="/jobs/metrics"
)


@activity.get(permission=Permission.READ, query=ActivityQuery(), returns=ListOf(ActivityOut()))
def get_activity(request: Request) -> Rendered:
    """What happened to a job last, newest first.

    `data` depends on the `type`. `status_changed` and `next_action_changed` have `from` and `to`,
    the latter with `next_action_at` and `next_action_title`; `tags_updated` has `added` and
    `removed`; `job_updated` the names of the other `fields`. Interviews have `interview_id`,
    `stage`, `kind`, `interviewer`, `status` and `scheduled_at`, `interview_updated` also `changes`,
    `{field: {from, to}}` with texts of at most 100 characters: of longer ones the part that has
    changed. Documents have `document_id`, `doc_type` and `filename`, notes `note_id`.
    """
    return paginate(request, request.context.page, **request.validated)


@metrics.get(
    permission=Permission.READ,
    query=MetricsQuery(),
    returns=ActivityMetricsOut(),
    etag=ETagStrategy.BY_BODY,
)
def get_activity_metrics(request: Request) -> dict[str, Any]:
    """How much happened in the last days, by type. A type of which nothing happened is left out."""
    per_type = request.context.activity(**request.validated)
    return {**request.validated, "total_events": sum(per_type.values()), "per_type": per_type}
