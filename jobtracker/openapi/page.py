"""GET /docs: Swagger UI with a sign-in form, public, with no resource of another origin."""

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

STATIC = Path(__file__).parent / "static"
SWAGGER_UI = Path(swagger_ui_path)

# The files below /docs, by name; the rest of Swagger UI's folder is not served.
FILES = {
    "": (STATIC / "docs.html", "text/html"),
    "docs.css": (STATIC / "docs.css", "text/css"),
    "docs.js": (STATIC / "docs.js", "text/javascript"),
    "favicon-32x32.png": (SWAGGER_UI / "favicon-32x32.png", "image/png"),
    "swagger-ui.css": (SWAGGER_UI / "swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (SWAGGER_UI / "swagger-ui-bundle.js", "text/javascript"),
}

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; "  # data: for the icons in Swagger UI's style sheet
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@functools.cache
def _precompressed(name: str) -> PrecompressedBody:
    path, content_type = FILES[name]
    return PrecompressedBody(path.read_bytes(), content_type)


def get_file(request: Request) -> Response:
    """Serve the page, or a file that it loads.

    :raises NotFound: if there is no file of that name
    """
    name = request.matchdict.get("name", "")
    if name not in FILES:
        raise NotFound
    response = _precompressed(name).response(request)
    response.headers.update(HEADERS)
    return response


def method_not_allowed(request: Request) -> Response:
    raise HTTPMethodNotAllowed(headers={"Allow": "GET, HEAD"})


def includeme(config: Any) -> None:
    public = {"permission": NO_PERMISSION_REQUIRED}
    for route_name, path in (("docs", "/docs"), ("docs_file", "/docs/{name}")):
        config.add_route(route_name, path)
        config.add_view(get_file, route_name=route_name, request_method="GET", **public)
        config.add_view(method_not_allowed, route_name=route_name, **public)
