"""``/users/me/retention``."""

from pyramid.request import Request

from jobtracker.http.conditional import ETagStrategy, set_times_of_change
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.retention.queries import RetentionRow
from jobtracker.retention.resources import RetentionResource
from jobtracker.retention.schemas import RetentionOut

retention = ApiService("retention", "/users/me/retention", context=RetentionResource)


@retention.get(
    permission=Permission.READ, returns=RetentionOut(), etag=ETagStrategy.BY_REVISION_UNTIL
)
def get_retention(request: Request) -> RetentionRow:
    """What the setting `data_retention_days` does. Jobs that are closed (rejected, withdrawn,
    ghosted, archived) go to the trash after so many `days` without activity, at least 30, also
    since they were last restored from the trash; never with 0 days. A new value is effective after
    seven days without another change: `effective_from`, null with 0 days. `due_jobs` is the number
    of jobs that go to the trash next: now, or at `effective_from` if that is later. `next_at` is
    when the next job after those is due, null if there is none."""
    found: RetentionRow = request.context.read()
    set_times_of_change(request, [found.next_at])
    return found
