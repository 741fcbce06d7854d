"""``/saved-views``."""

from collections.abc import Sequence

from pyramid.request import Request

from jobtracker.fields import ListOf
from jobtracker.http.pagination import PageQuery, paginate
from jobtracker.http.service import ApiService, created
from jobtracker.saved_views.models import SavedView
from jobtracker.saved_views.resources import SavedViewCollection, SavedViewResource
from jobtracker.saved_views.schemas import SAVED_VIEW_PATCH, SavedViewIn, SavedViewOut
from jobtracker.security import Permission

SAVED_VIEW_OUT = SavedViewOut()

saved_views = ApiService("saved_views", "/saved-views", context=SavedViewCollection)
saved_view = ApiService("saved_view", "/saved-views/{view_id}", context=SavedViewResource)


@saved_views.get(permission=Permission.READ, query=PageQuery(), returns=ListOf(SAVED_VIEW_OUT))
def get_saved_views(request: Request) -> Sequence[SavedView]:
    """Your saved views, the one that was changed last first."""
    return paginate(request, request.context.page, **request.validated)


@saved_views.post(
    permission=Permission.WRITE,
    body=SavedViewIn(),
    returns=SAVED_VIEW_OUT,
    status=201,
    errors=(409,),
)
def post_saved_view(request: Request) -> SavedView:
    """Save a view under a name that none of your others has. You can have 100."""
    new = request.context.create(**request.validated)
    return created(request, new).view


@saved_view.get(permission=Permission.READ, returns=SAVED_VIEW_OUT)
def get_saved_view(request: Request) -> SavedView:
    """One saved view."""
    return request.context.view


@saved_view.patch(
    permission=Permission.WRITE, body=SAVED_VIEW_PATCH, returns=SAVED_VIEW_OUT, errors=(409,)
)
def patch_saved_view(request: Request) -> SavedView:
    """Change the name, the data or both. This is a JSON Merge Patch of those two alone: ``data`` is
    replaced as a whole, not merged, so that a filter which is left out is gone."""
    return request.context.update(**request.validated)


@saved_view.delete(permission=Permission.WRITE, status=204)
def delete_saved_view(request: Request) -> None:
    """Forget a saved view."""
    request.context.delete()
