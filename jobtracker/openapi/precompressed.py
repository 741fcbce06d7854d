"""A body that never changes while the process lives: made, compressed and named once."""

import gzip
import hashlib

from pyramid.request import Request
from pyramid.response import Response


class PrecompressedBody:
    """Bytes with a strong ETag for each of their forms (RFC 9110, section 8.8.3)."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self.content_type = content_type
        tag = hashlib.sha256(body).hexdigest()[:32]
        self.forms = {
            "identity": (body, tag),
            "gzip": (gzip.compress(body, mtime=0), f"{tag}-gzip"),
        }

    def response(self, request: Request) -> Response:
        """The response: 304 when the client has it already."""
        encoding = "identity"
        if request.accept_encoding.header_value is not None:
            accepted = request.accept_encoding.acceptable_offers(["gzip", "identity"])
            encoding = accepted[0][0] if accepted else "identity"
        body, tag = self.forms[encoding]
        response = Response(body=body, content_type=self.content_type, conditional_response=True)
        response.etag = tag
        response.cache_control = "public, no-cache"
        response.vary = "Accept-Encoding"
        if encoding != "identity":
            response.content_encoding = encoding
        return response
