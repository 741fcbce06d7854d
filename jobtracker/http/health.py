"""Whether the server answers, whether it is ready, and where its documentation is.

``/health`` is for what restarts servers: it has no dependency, since a restart repairs none.
``/ready`` is for what sends requests to servers.
"""

import colander
from pyramid.request import Request

from jobtracker.errors import Unavailable
from jobtracker.fields import Schema, Text
from jobtracker.http.links import reference
from jobtracker.http.service import ApiService, ThreadPool
from jobtracker.permissions import Permission
from jobtracker.tree import Root


class HealthOut(Schema):
    status = colander.SchemaNode(Text())


class ReadyOut(Schema):
    example = {"status": "ready"}

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
ready = ApiService("ready", "/ready", context=Root, traverse="/")

# Seconds of Retry-After.
RETRY_AFTER = 1


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


@ready.get(
    permission=Permission.PUBLIC,
    returns=ReadyOut(),
    errors=(503,),
    thread_pool=ThreadPool.READINESS,
)
def get_ready(request: Request) -> dict[str, str]:
    """Whether the server can answer requests: the database responds within a second and has the
    schema that is needed, and the server is not about to stop. Otherwise `details.missing` names
    what is missing, `database`, `schema` or `server`, and why. For load balancers."""
    registry = request.registry
    if registry.get("is_draining", bool)():  # set by servers
        problem = "server", "It is draining: it is about to stop."
    else:
        queued_seconds = request.environ.get("jobtracker.queued_seconds", 0)
        problem = registry["database_check"].problem(queued_seconds)
    if problem is None:
        return {"status": "ready"}
    name, reason = problem
    raise Unavailable(
        f"Not ready: the {name}. {reason}",
        details={"missing": {name: reason}},
        retry_after=RETRY_AFTER,
    )
