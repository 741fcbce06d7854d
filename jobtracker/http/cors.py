"""CORS for the origins of the setting ``cors.origins``, with the headers of ``cors.headers``.

A tween outside of all others, so that errors and unknown paths have the headers too: without them
a browser hides the response from the SPA. https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Callable

from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

EXPOSE_HEADERS = "ETag, Link, Location, Retry-After, X-Request-ID"
ALLOW_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
# The headers of requests that the API itself reads.
ALLOW_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key"),
    *("If-Match", "If-None-Match", "X-Request-ID"),
)
MAX_AGE = "7200"  # seconds: Chromium's maximum


def cors_headers(origin: str, origins: frozenset[str]) -> dict[str, str]:
    """The headers that let a browser show a response to the SPA."""
    if origin.lower() not in origins:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        # For SPAs that send credentials with each request; no cookie is ever set.
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": EXPOSE_HEADERS,
    }


def cors_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    origins = frozenset(registry.settings["cors.origins"])
    preflight_headers = {
        "Access-Control-Allow-Methods": ALLOW_METHODS,
        "Access-Control-Allow-Headers": ", ".join(
            [*ALLOW_HEADERS, *registry.settings["cors.headers"]]
        ),
        "Access-Control-Max-Age": MAX_AGE,
    }

    def cors_tween(request: Request) -> Response:
        origin = request.environ.get("HTTP_ORIGIN", "")
        preflight = (
            request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ
        )
        response = Response(status=204) if origin and preflight else handler(request)
        vary = response.headers.pop("Vary", "")
        response.headerlist.append(("Vary", f"{vary}, Origin" if vary else "Origin"))
        if headers := cors_headers(origin, origins):
            response.headers.update(headers)
            if preflight:
                response.headers.update(preflight_headers)
        return response

    return cors_tween
