"""The endpoints: ``/openapi.json``, and at ``/docs`` Swagger UI with a sign-in form.

Both are public, and the page has no resource of another origin.
"""

import functools
import gzip
import hashlib
from pathlib import Path

from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.request import Request
from pyramid.response import Response
from swagger_ui_bundle import swagger_ui_path

from jobtracker.errors import NotFound
from jobtracker.http.links import path_prefix
from jobtracker.http.security_headers import CSP
from jobtracker.http.service import ApiService
from jobtracker.permissions import Permission
from jobtracker.tree import Root

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
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; "  # data: for the icons in Swagger UI's style sheet
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

openapi = ApiService("openapi", "/openapi.json", context=Root, traverse="/")


@openapi.get(permission=Permission.PUBLIC)
def get_openapi(request: Request) -> Response:
    """The OpenAPI document of all services."""
    return request.registry["openapi_body"](path_prefix(request)).response(request)


class PrecompressedBody:
    """A body in its encodings, each with a strong ETag (RFC 9110, section 8.8.3)."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self.content_type = content_type
        etag = hashlib.sha256(body).hexdigest()[:32]
        self.encodings = {
            "identity": (body, etag),
            "gzip": (gzip.compress(body, mtime=0), f"{etag}-gzip"),
        }

    def response(self, request: Request) -> Response:
        """Return a conditional response in the encoding that the request accepts."""
        encoding = "identity"
        if request.accept_encoding.header_value is not None:
            accepted = request.accept_encoding.acceptable_offers(["gzip", "identity"])
            encoding = accepted[0][0] if accepted else "identity"
        body, etag = self.encodings[encoding]
        # Also in a tag that a proxy has changed: jobtracker.http.conditional.
        if self.encodings["identity"][1] in request.environ.get("HTTP_IF_NONE_MATCH", ""):
            response = Response(status=304, headerlist=[])
        else:
            response = Response(
                body=body, content_type=self.content_type, conditional_response=True
            )
        response.etag = etag
        response.cache_control = "public, no-cache"
        response.vary = "Accept-Encoding"
        if encoding != "identity" and response.status_code == 200:
            response.content_encoding = encoding
        return response


@functools.cache
def _precompressed(path: Path, content_type: str) -> PrecompressedBody:
    return PrecompressedBody(path.read_bytes(), content_type)


@functools.lru_cache(maxsize=8)
def _page(prefix: str) -> PrecompressedBody:
    path, content_type = FILES[""]
    return PrecompressedBody(path.read_bytes().replace(b"{prefix}", prefix.encode()), content_type)


def get_file(request: Request) -> Response:
    """Serve the page, or a file that it loads; NotFound if there is no file of that name."""
    name = request.matchdict.get("name", "")
    if name not in FILES:
        raise NotFound
    body = _precompressed(*FILES[name]) if name else _page(path_prefix(request))
    response = body.response(request)
    response.headers[CSP] = POLICY
    return response


def method_not_allowed(request: Request) -> Response:
    raise HTTPMethodNotAllowed(headers={"Allow": "GET, HEAD"})
