"""Lists in pages: ``limit``, an opaque ``cursor``, and ``Link: rel="next"`` (RFC 8288).

A cursor is where the last page ended: the keys of its last row, signed, so that nobody can make one
up. It holds for the same user and the same list, filters and sort included.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import colander
import orjson
from pyramid.request import Request

from jobtracker.db.keyset import MAX_LIMIT, Page
from jobtracker.errors import ValidationFailed
from jobtracker.fields import QueryInteger, Schema, Text

# The keys of a row, each character of which JSON can write as six.
MAX_CURSOR = 4000

SIGNATURE_BYTES = 16


class PageQuery(Schema):
    """The parameters of every list."""

    limit = colander.SchemaNode(QueryInteger(1, MAX_LIMIT), missing=MAX_LIMIT)
    cursor = colander.SchemaNode(Text(max=MAX_CURSOR), missing=None)


class Cursors:
    """Signs and opens cursors."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"cursor " + secret.encode()).digest()

    def seal(self, values: Sequence[Any], scope: str) -> str:
        """A cursor that holds in a scope."""
        text = orjson.dumps(values, option=orjson.OPT_UTC_Z)
        return base64.urlsafe_b64encode(self._signature(text, scope) + text).rstrip(b"=").decode()

    def open(self, cursor: str, scope: str) -> list[Any]:
        """What was sealed.

        :raises ValueError: when it was not, or for another scope
        """
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        signature, text = sealed[:SIGNATURE_BYTES], sealed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(text, scope)):
            raise ValueError("not signed for this")
        return orjson.loads(text)

    def _signature(self, text: bytes, scope: str) -> bytes:
        message = len(scope).to_bytes(4) + scope.encode() + text
        return hmac.digest(self._key, message, "sha256")[:SIGNATURE_BYTES]


def paginate(
    request: Request,
    page_of: Callable[..., Page],
    *,
    limit: int,
    cursor: str | None,
    **listing: Any,
) -> Sequence[Any]:
    """The rows of a page; where there are more, the answer has a link to them.

    :param page_of: gives the page for ``limit``, ``after`` and ``listing``
    :raises ValidationFailed: for a cursor of another list, or of nobody's
    """
    scope = cursor_scope(request, request.path, **listing)
    cursors = request.registry["cursors"]
    after = None
    if cursor is not None:
        try:
            after = cursors.open(cursor, scope)
        except ValueError:
            fault = {"loc": ["query", "cursor"], "msg": "Is not of this list.", "type": "cursor"}
            raise ValidationFailed([fault]) from None
    page = page_of(limit=limit, after=after, **listing)
    if page.last is not None:
        query = [(name, value) for name, value in request.GET.items() if name != "cursor"]
        query.append(("cursor", cursors.seal(page.last, scope)))
        request.response.headers["Link"] = f'<{request.path_url}?{urlencode(query)}>; rel="next"'
    return page.rows


def cursor_scope(request: Request, path: str, **listing: Any) -> str:
    """Where a cursor holds: for a user, a path, and what is listed there in which order."""
    return f"{request.identity.id} {path.rstrip('/')} {sorted(listing.items())!r}"


def includeme(config: Any) -> None:
    config.registry["cursors"] = Cursors(config.registry.settings["cursors.secret"])
