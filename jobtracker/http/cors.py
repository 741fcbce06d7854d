"""CORS for the origins of the setting ``cors.origins``.

A tween outside of all others, so that errors and unknown paths have the headers too: without them
a browser hides the response from the SPA. https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Callable

from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

ALLOW_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOW_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
)
EXPOSE_HEADERS = "ETag, Link, Location, Retry-After, X-Request-ID"
# Seconds for which a browser caches a preflight; Chromium's maximum.
MAX_AGE = "7200"


def cors_headers(origin: str, origins: frozenset[str]) -> dict[str, str]:
    """The headers that let a browser show a response to the SPA."""
    if origin.lower() not in origins:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSE_HEADERS}


def cors_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    origins = frozenset(registry.settings["cors.origins"])

    def cors_tween(request: Request) -> Response:
        origin = request.headers.get("Origin", "")
        preflight = request.method == "OPTIONS" and (
            "Access-Control-Request-Method" in request.headers
        )
        response = Response(status=204) if origin and preflight else handler(request)
        vary = response.headers.get("Vary")
        response.headers["Vary"] = f"{vary}, Origin" if vary else "Origin"
        if headers := cors_headers(origin, origins):
            response.headers.update(headers)
            if preflight:
                response.headers["Access-Control-Allow-Methods"] = ALLOW_METHODS
                response.headers["Access-Control-Allow-Headers"] = ALLOW_HEADERS
                response.headers["Access-Control-Max-Age"] = MAX_AGE
        return response

    return cors_tween
