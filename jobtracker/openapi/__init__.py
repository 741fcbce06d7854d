"""The OpenAPI document of the services, and a page to try them on."""

import hashlib
from typing import Any

from pyramid.events import ApplicationCreated

from jobtracker.http.service import services_of
from jobtracker.openapi.document import make_document
from jobtracker.openapi.precompressed import PrecompressedBody
from jobtracker.renderer import json_dumps


def make(event: ApplicationCreated) -> None:
    """Make the document, once, of all services that were registered."""
    registry = event.app.registry
    document = make_document(services_of(registry))
    registry["openapi_document"] = document
    # What our answers look like: another version of us looks otherwise, and its ETags tell.
    registry["representation"] = hashlib.sha256(json_dumps(document)).digest()
    registry["openapi_served"] = PrecompressedBody(json_dumps(document), "application/json")


def includeme(config: Any) -> None:
    config.add_subscriber(make, ApplicationCreated)
    config.scan("jobtracker.openapi.views")
    config.include("jobtracker.openapi.page")
