"""``/trash``."""

from typing import Any

from pyramid.request import Request

from jobtracker.db.trash import Trashable
from jobtracker.fields import AnyOf, ListOf, Rendered
from jobtracker.http.pagination import paginate
from jobtracker.http.service import ApiService, ThreadPool, schema_of, set_location
from jobtracker.permissions import Permission
from jobtracker.tasks.queries import TaskRow
from jobtracker.tasks.schemas import TaskOut
from jobtracker.trash.resources import Trash, TrashedResource, item_classes
from jobtracker.trash.schemas import TrashFilters, TrashOut, TrashQuery

SHOWN = AnyOf(lambda: [schema_of(each) for each in item_classes()])
ONE = "/trash/{kind}/{id}"
OF_ONE: dict[str, Any] = {
    "context": TrashedResource,
    "traverse": ONE,
    "names": {"kind": Trashable.by_kind},
}

trash = ApiService("trash", "/trash", context=Trash)
trashed = ApiService("trashed", ONE, **OF_ONE)
restore = ApiService("restore", f"{ONE}/restore", **OF_ONE)


@trash.get(permission=Permission.READ, query=TrashQuery(), returns=ListOf(TrashOut()))
def get_trash(request: Request) -> Rendered:
    """What you have deleted and what was deleted for you, newest first, until `purge_at`, when it
    is deleted for good. What belongs to a job in the trash comes back with the job, and is not
    listed, unless it was deleted before. `reason` is `user`, `retention` by your setting of how
    long to keep closed jobs, `replaced` by a later document of the same type, or `import` for what
    an import that was undone had made."""
    return paginate(request, request.context.page, **request.validated)


@trash.delete(
    permission=Permission.WRITE,
    query=TrashFilters(),
    returns=TaskOut(),
    status=202,
    errors=(409,),
    idempotent=True,
)
def delete_trash(request: Request) -> TaskRow:
    """Empty the trash, of some kinds or of all: what is in it now is there no more, and deleted for
    good, with its files, by a task. `Location` is where to ask how far that is."""
    return set_location(request, request.context.empty(**request.validated)).row


@restore.post(permission=Permission.WRITE, returns=SHOWN, errors=(409,))
def post_restore(request: Request) -> dict[str, Any]:
    """Restore something as it was, a job with all that belongs to it. The answer is that of its own
    GET. `details.code` of a 409 is PARENT_IN_TRASH where the job that it belongs to has to be
    restored first, PLACE_TAKEN where there is another document of its type or view of its name
    now, and QUOTA_EXCEEDED."""
    restored = request.context = request.context.restore()
    get = request.registry["find_operation"]("GET", restored.path)
    shown: dict[str, Any] = get.returns.dump(get.view(request))
    return shown


# It deletes the objects of documents in S3.
@trashed.delete(permission=Permission.WRITE, status=204, thread_pool=ThreadPool.GATEWAY)
def delete_trashed(request: Request) -> None:
    """Delete something in the trash for good."""
    request.context.purge()
