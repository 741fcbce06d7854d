"""GET /health: whether the process serves. It uses no dependency, and so reports none."""

import colander
from pyramid.request import Request

from jobtracker.fields import Schema, Text
from jobtracker.http.service import ApiService, ThreadPool
from jobtracker.permissions import Permission
from jobtracker.tree import Root


class HealthOut(Schema):
    status = colander.SchemaNode(Text())


health = ApiService("health", "/health", context=Root, traverse="/")


@health.get(permission=Permission.PUBLIC, returns=HealthOut(), thread_pool=ThreadPool.HEALTH)
def get_health(request: Request) -> dict[str, str]:
    """Whether the server answers."""
    return {"status": "ok"}
