"""``/users/me/usage``."""

from pyramid.request import Request

from jobtracker.http.rate_limits import USAGE_BY_USER
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.usage.resources import UsageResource
from jobtracker.usage.schemas import UsageOut

usage = ApiService("usage", "/users/me/usage", context=UsageResource)


@usage.get(permission=Permission.READ, returns=UsageOut(), rate_limits=[USAGE_BY_USER])
def get_usage(request: Request) -> dict[str, dict[str, int]]:
    """How much of each quota you have used, and what is in the trash, which counts for
    `document_bytes` alone. What is counted for each job is shown for the job that
    has the most. Beyond a limit the answer is 409 with the code `QUOTA_EXCEEDED`; of the activity
    of a job, the oldest entries are dropped instead."""
    return request.context.read()
