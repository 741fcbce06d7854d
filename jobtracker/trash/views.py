"""``/trash``."""

from pyramid.request import Request

from jobtracker.fields import ListOf, Rendered
from jobtracker.http.pagination import paginate
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.trash.resources import Trash
from jobtracker.trash.schemas import TrashOut, TrashQuery

trash = ApiService("trash", "/trash", context=Trash)


@trash.get(permission=Permission.READ, query=TrashQuery(), returns=ListOf(TrashOut()))
def get_trash(request: Request) -> Rendered:
    """What you have deleted and what was deleted for you, newest first, until `purge_at`, when it
    is deleted for good. What belongs to a job in the trash comes back with the job, and is not
    listed, unless it was deleted before. `reason` is `user`, `retention` by your setting of how
    long to keep closed jobs, `replaced` by a later document of the same type, or `import` for what
    an import that was undone had made."""
    return paginate(request, request.context.page, **request.validated)
