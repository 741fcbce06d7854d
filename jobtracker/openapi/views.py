"""The service of ``/openapi.json``."""

from pyramid.request import Request
from pyramid.response import Response

from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.tree import Root

openapi = ApiService("openapi", "/openapi.json", context=Root, traverse="/")


@openapi.get(permission=Permission.PUBLIC)
def get_openapi(request: Request) -> Response:
    """The OpenAPI document of all services."""
    return request.registry["openapi_response"].response(request)
