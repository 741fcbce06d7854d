"""Responses whose body never changes: hashed and compressed once."""

import gzip
import hashlib

from pyramid.request import Request
from pyramid.response import Response


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
        response = Response(body=body, content_type=self.content_type, conditional_response=True)
        response.etag = etag
        response.cache_control = "public, no-cache"
        response.vary = "Accept-Encoding"
        if encoding != "identity":
            response.content_encoding = encoding
        return response
