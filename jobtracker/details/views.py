"""``/jobs/{job_id}/details``."""

from typing import Any

from pyramid.request import Request

from jobtracker.activity.schemas import ActivityOut
from jobtracker.db.keyset import MAX_BYTES
from jobtracker.details.resources import DetailsResource
from jobtracker.details.schemas import DetailsOut, DetailsQuery
from jobtracker.fields import Rendered
from jobtracker.http.pagination import cursor_scope, render_page
from jobtracker.http.service import ApiService
from jobtracker.interviews.schemas import InterviewOut
from jobtracker.jobs.schemas import NoteOut
from jobtracker.permissions import Permission

NOTE_OUT, INTERVIEW_OUT, ACTIVITY_OUT = NoteOut(), InterviewOut(), ActivityOut()
# More than the JSON of a job and of the rest around the lists; what is kept for the activity, of
# which the client needs one entry at least for its cursor.
JOB_BYTES, ACTIVITY_BYTES = 64 * 1024, 512 * 1024

details = ApiService("details", "/jobs/{job_id}/details", context=DetailsResource)


@details.get(permission=Permission.READ, query=DetailsQuery(), returns=DetailsOut())
def get_details(request: Request) -> dict[str, Any]:
    """One job with its newest 100 notes, its interviews and its latest activity, newest first.
    `next_cursor` is one of the job's list of activity; null when there is no more. Interviews that
    exceed 8 MiB with all else are left out; their own list has them."""
    details = request.context.read(**request.validated)
    room = MAX_BYTES - ACTIVITY_BYTES
    notes, _ = render_page(details["notes"], NOTE_OUT, room)
    interviews, _ = render_page(details["interviews"], INTERVIEW_OUT, room - len(notes))
    room = MAX_BYTES - JOB_BYTES - len(notes) - len(interviews)
    activity, page = render_page(details["activity"], ACTIVITY_OUT, room)
    path = request.context.__parent__["activity"].path
    scope = cursor_scope(request, path)
    cursor = page.next_sort_keys and request.cursors.dumps(page.next_sort_keys, scope)
    return {
        "job": details["job"],
        "notes": Rendered(notes),
        "interviews": Rendered(interviews),
        "activity": {"items": Rendered(activity), "next_cursor": cursor},
    }
