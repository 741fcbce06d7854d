"""The OpenAPI document of the services, at /openapi.json, and Swagger UI, at /docs."""

import hashlib
from typing import Any

from pyramid.events import ApplicationCreated

from jobtracker.http.service import services_of
from jobtracker.openapi.document import make_document
from jobtracker.openapi.precompressed import PrecompressedBody
from jobtracker.renderer import json_dumps


def add_document(event: ApplicationCreated) -> None:
    """Generate the document of all registered services."""
    registry = event.app.registry
    document = make_document(services_of(registry))
    registry["openapi_document"] = document
    # Part of every ETag: another version of the API may represent the same state differently.
    registry["representation"] = hashlib.sha256(json_dumps(document)).digest()
    registry["openapi_response"] = PrecompressedBody(json_dumps(document), "application/json")


def includeme(config: Any) -> None:
    config.add_subscriber(add_document, ApplicationCreated)
    config.scan("jobtracker.openapi.views")
    config.include("jobtracker.openapi.page")
