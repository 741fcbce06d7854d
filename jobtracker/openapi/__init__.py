"""The OpenAPI document of the services, and Swagger UI."""

import functools
import hashlib
from typing import Any

from pyramid.events import ApplicationCreated
from pyramid.security import NO_PERMISSION_REQUIRED

from jobtracker.http.links import configured_prefix
from jobtracker.http.service import services_of
from jobtracker.openapi import views
from jobtracker.openapi.document import make_document
from jobtracker.renderer import json_dumps


def add_document(event: ApplicationCreated) -> None:
    """Generate the document of all registered services."""
    registry = event.app.registry
    registry["openapi_document"] = document = make_document(services_of(registry))
    # Part of every ETag: another version of the API may represent the same state differently.
    registry["representation"] = hashlib.sha256(json_dumps(document)).digest()

    @functools.lru_cache(maxsize=8)
    def body_below(prefix: str) -> views.PrecompressedBody:
        body = json_dumps({**document, "servers": [{"url": prefix or "/"}]})
        return views.PrecompressedBody(body, "application/json")

    body_below(configured_prefix(registry))
    registry["openapi_body"] = body_below


def includeme(config: Any) -> None:
    config.add_subscriber(add_document, ApplicationCreated)
    config.scan("jobtracker.openapi.views")
    public = {"permission": NO_PERMISSION_REQUIRED}
    for route_name, path in (("docs", "/docs"), ("docs_file", "/docs/{name}")):
        config.add_route(route_name, path)
        config.add_view(views.get_file, route_name=route_name, request_method="GET", **public)
        config.add_view(views.method_not_allowed, route_name=route_name, **public)
