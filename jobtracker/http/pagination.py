"""Paginated lists: ``limit``, an opaque ``cursor``, and ``Link: rel="next"`` (RFC 8288).

A cursor holds the sort keys of a page's last row. Its signature binds it to the user, the list, the
filters and the sort order.
"""

import base64
import hmac
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import colander
import orjson
from pyramid.request import Request

from jobtracker.db import signing_keys
from jobtracker.db.connections import autocommit, release_autocommit
from jobtracker.db.keyset import MAX_BYTES, MAX_LIMIT, SMALL_PAGE, Page
from jobtracker.errors import ValidationFailed
from jobtracker.fields import QueryInteger, Rendered, Schema, Text
from jobtracker.http.links import reference
from jobtracker.renderer import json_dumps

SIGNATURE_BYTES = 16

# What the key is for: its name in the database, and in the derivation from the secret.
KEY_NAME = "cursors"

R = TypeVar("R")


class PageQuery(Schema):
    """The parameters of every list."""

    # Without it, as many as there are, up to MAX_LIST: clients need not know pages.
    limit = colander.SchemaNode(QueryInteger(1, MAX_LIMIT), missing=None)
    # Characters of sort keys can take six in JSON.
    cursor = colander.SchemaNode(Text(max=4000), missing=None)


class Cursors:
    """Serializes and signs cursors."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), KEY_NAME.encode(), "sha256")

    def dumps(self, sort_keys: Sequence[Any], scope: str) -> str:
        text = orjson.dumps(sort_keys, option=orjson.OPT_UTC_Z)
        return base64.urlsafe_b64encode(self._sign(text, scope) + text).rstrip(b"=").decode()

    def loads(self, cursor: str, scope: str) -> list[Any]:
        """The sort keys of a cursor; ValueError when it is invalid in the scope."""
        padded = cursor + "=" * (-len(cursor) % 4)
        signed = base64.b64decode(padded, altchars=b"-_", validate=True)
        signature, text = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(text, scope)):
            raise ValueError("not signed for this")
        return orjson.loads(text)

    def _sign(self, text: bytes, scope: str) -> bytes:
        message = len(scope).to_bytes(4) + scope.encode() + text
        return hmac.digest(self._key, message, "sha256")[:SIGNATURE_BYTES]


def paginate(
    request: Request,
    get_page: Callable[..., Page[R]],
    *,
    limit: int | None,
    cursor: str | None,
    **options: Any,
) -> Rendered:
    """The JSON of a page; the response links to the next one, if any.

    :raises ValidationFailed: for an invalid cursor, or one of another list"""
    page = read_page(request, get_page, limit=limit, cursor=cursor, **options)
    body, page = render_page(page, request.operation.returns.schema)
    link_to_next(request, page, **options)
    return Rendered(body)


def read_page(
    request: Request,
    get_page: Callable[..., Page[R]],
    *,
    limit: int | None,
    cursor: str | None,
    **options: Any,
) -> Page[R]:
    """The page after a cursor. Raises as :func:`paginate`."""
    scope = cursor_scope(request, _path(request), **options)
    try:
        after = None if cursor is None else request.cursors.loads(cursor, scope)
    except ValueError:
        error = ValidationFailed.for_field("query", "cursor", "Is not of this list.", "cursor")
        raise error from None
    return get_page(limit=limit, after=after, **options)


def render_page(page: Page[R], schema: Schema, max_bytes: int = MAX_BYTES) -> tuple[bytes, Page[R]]:
    """The JSON of the first rows of a page that do not exceed ``max_bytes``, one at least, and the
    page of these rows."""
    parts: list[bytes] = []
    number, room = 0, max_bytes - len(b"[")
    # In batches: the JSON of all rows can have six times the bytes of their texts.
    for start in range(0, len(page.rows), SMALL_PAGE):
        objects = schema.dump_all(page.rows[start : start + SMALL_PAGE])
        batch = json_dumps(objects)[1:-1]
        if len(batch) < room:  # with the comma or bracket that follows
            parts.append(batch)
            number, room = number + len(objects), room - len(batch) - 1
            continue
        for each in objects:
            part = json_dumps(each)
            if number and len(part) >= room:
                break
            parts.append(part)
            number, room = number + 1, room - len(part) - 1
        break
    return b"[" + b",".join(parts) + b"]", page.first(number)


def link_to_next(request: Request, page: Page[Any], **options: Any) -> None:
    """Set the response's Link to the page that follows, if any."""
    if page.next_sort_keys is not None:
        scope = cursor_scope(request, _path(request), **options)
        query = [(name, value) for name, value in request.GET.items() if name != "cursor"]
        query.append(("cursor", request.cursors.dumps(page.next_sort_keys, scope)))
        target = f"{reference(request, _path(request))}?{urlencode(query)}"
        request.response.headers["Link"] = f'<{target}>; rel="next"'


def _path(request: Request) -> str:
    """The path of the request without a prefix; no path of the API needs percent-encoding."""
    return request.environ["PATH_INFO"]


def cursor_scope(request: Request, path: str, **options: Any) -> str:
    """The scope of a cursor: user, path, filters and sort order."""
    return f"{request.identity.id} {path.rstrip('/')} {sorted(options.items())!r}"


def cursors_of(request: Request) -> Cursors:
    """``request.cursors``: by the setting ``cursors.secret``, otherwise by a key of the database,
    which each process reads on first use."""
    registry = request.registry
    if "cursors" not in registry:
        release_autocommit(request)
        with autocommit(registry) as connection:
            registry["cursors"] = Cursors(signing_keys.find_or_make(connection, KEY_NAME).hex())
    return registry["cursors"]


def includeme(config: Any) -> None:
    if secret := config.registry.settings["cursors.secret"]:
        config.registry["cursors"] = Cursors(secret)
    config.add_request_method(cursors_of, "cursors", property=True)
