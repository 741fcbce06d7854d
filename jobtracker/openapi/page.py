"""GET /docs: a page that shows the API, signs in, and runs any call. Anybody may read it.

It is Swagger UI, whose files come with a package, and a small form of our own. Nothing is loaded
from elsewhere.
"""

import functools
from pathlib import Path
from typing import Any

from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.request import Request
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from swagger_ui_bundle import swagger_ui_path

from jobtracker.errors import NotFound
from jobtracker.openapi.precompressed import PrecompressedBody

OURS = Path(__file__).parent / "static"
SWAGGER_UI = Path(swagger_ui_path)

PAGE = OURS / "docs.html"

# What the page loads; the rest of Swagger UI's folder is not served.
FILES = {
    "docs.css": (OURS, "text/css"),
    "docs.js": (OURS, "text/javascript"),
    "favicon-32x32.png": (SWAGGER_UI, "image/png"),
    "swagger-ui.css": (SWAGGER_UI, "text/css"),
    "swagger-ui-bundle.js": (SWAGGER_UI, "text/javascript"),
}

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",  # the icons in Swagger UI's style sheet
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@functools.cache
def _served(path: Path, content_type: str) -> PrecompressedBody:
    return PrecompressedBody(path.read_bytes(), content_type)


def get_page(request: Request) -> Response:
    """The page itself."""
    return _response(request, PAGE, "text/html")


def get_file(request: Request) -> Response:
    """What the page loads.

    :raises NotFound: for any other name
    """
    name = request.matchdict["name"]
    if name not in FILES:
        raise NotFound
    folder, content_type = FILES[name]
    return _response(request, folder / name, content_type)


def _response(request: Request, path: Path, content_type: str) -> Response:
    response = _served(path, content_type).response(request)
    response.headers.update(HEADERS)
    return response


def other_methods(request: Request) -> Response:
    """405, as for every path of the API."""
    raise HTTPMethodNotAllowed(headers={"Allow": "GET, HEAD"})


def includeme(config: Any) -> None:
    public = {"permission": NO_PERMISSION_REQUIRED}
    for name, path, view in (
        ("docs", "/docs", get_page),
        ("docs_file", "/docs/{name}", get_file),
    ):
        config.add_route(name, path)
        config.add_view(view, route_name=name, request_method="GET", **public)
        config.add_view(other_methods, route_name=name, **public)
