"""``/saved-views``."""

from pyramid.request import Request

from jobtracker.fields import ListOf, Rendered
from jobtracker.http.deletion import DeletionQuery
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.rate_limits import CREATIONS_BY_USER
from jobtracker.http.service import ApiService, set_location
from jobtracker.permissions import Permission
from jobtracker.saved_views.queries import SavedViewRow
from jobtracker.saved_views.resources import SavedViewCollection, SavedViewResource
from jobtracker.saved_views.schemas import SAVED_VIEW_PATCH, SavedViewIn, SavedViewOut

saved_views = ApiService("saved_views", "/saved-views", context=SavedViewCollection)
saved_view = ApiService("saved_view", "/saved-views/{view_id}", context=SavedViewResource)


@saved_views.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(SavedViewOut()))
def get_saved_views(request: Request) -> Rendered:
    """Your saved views, the one that was changed last first."""
    return paginate(request, request.context.page, **request.validated)


@saved_views.post(
    permission=Permission.WRITE,
    body=SavedViewIn(),
    returns=SavedViewOut(),
    status=201,
    errors=(409,),
    rate_limits=[CREATIONS_BY_USER],
)
def post_saved_view(request: Request) -> SavedViewRow:
    """Save a view under a name that none of your others has. Their number has a quota."""
    return set_location(request, request.context.create(**request.validated)).row


@saved_view.get(permission=Permission.READ, returns=SavedViewOut())
def get_saved_view(request: Request) -> SavedViewRow:
    """One saved view."""
    return request.context.row


@saved_view.patch(
    permission=Permission.WRITE, body=SAVED_VIEW_PATCH, returns=SavedViewOut(), errors=(409,)
)
def patch_saved_view(request: Request) -> SavedViewRow:
    """Change the name, the data or both. This is a JSON Merge Patch of those two alone: ``data`` is
    replaced as a whole, not merged, so that a filter which is left out is gone."""
    return request.context.update(**request.validated)


@saved_view.delete(permission=Permission.WRITE, query=DeletionQuery(), status=204)
def delete_saved_view(request: Request) -> None:
    """Put a saved view into the trash, from which it is deleted after some days.
    `permanent=true` deletes it now."""
    request.context.delete(**request.validated)
