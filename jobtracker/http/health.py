"""Whether the server answers, and where its documentation is.

Without any dependency, so that ``/health`` reports none.
"""

import colander
from pyramid.request import Request

from jobtracker.fields import Schema, Text
from jobtracker.http.links import reference
from jobtracker.http.service import ApiService, ThreadPool
from jobtracker.permissions import Permission
from jobtracker.tree import Root


class HealthOut(Schema):
    status = colander.SchemaNode(Text())


class ServiceOut(Schema):
    example = {
        "name": "JobTracker",
        "version": "1.0.0",
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": "/health",
    }

    name = colander.SchemaNode(Text())
    version = colander.SchemaNode(Text())
    docs = colander.SchemaNode(Text())
    openapi = colander.SchemaNode(Text())
    health = colander.SchemaNode(Text())


service = ApiService("service", "/", context=Root)
health = ApiService("health", "/health", context=Root, traverse="/")


@service.get(permission=Permission.PUBLIC, returns=ServiceOut())
def get_service(request: Request) -> dict[str, str]:
    """What this is, and where its documentation is. For people who open the address of the API."""
    request.response.headers["Cache-Control"] = "public, max-age=300"
    request.response.headers["Vary"] = "X-Forwarded-Prefix"  # the prefix of the links
    info = request.registry["openapi_document"]["info"]
    paths = {"docs": "/docs", "openapi": "/openapi.json", "health": "/health"}
    links = {name: reference(request, path) for name, path in paths.items()}
    return {"name": info["title"], "version": info["version"], **links}


@health.get(permission=Permission.PUBLIC, returns=HealthOut(), thread_pool=ThreadPool.HEALTH)
def get_health(request: Request) -> dict[str, str]:
    """Whether the server answers."""
    return {"status": "ok"}
