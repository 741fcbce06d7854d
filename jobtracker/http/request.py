"""One request class with all methods that ``add_request_method`` added.

Pyramid otherwise makes a class for each request, to add the properties to; benchmarks/README.md has
the cost.
"""

from typing import Any

from pyramid.events import ApplicationCreated
from pyramid.interfaces import IRequestExtensions, IRequestFactory
from pyramid.request import Request


def make_request_class(event: ApplicationCreated) -> None:
    registry = event.app.registry
    extensions = registry.queryUtility(IRequestExtensions)
    request_class = type("JobTrackerRequest", (Request,), dict(extensions.descriptors))
    extensions.descriptors.clear()
    registry.registerUtility(request_class, IRequestFactory)
    event.app.request_factory = request_class


def includeme(config: Any) -> None:
    config.add_subscriber(make_request_class, ApplicationCreated)
