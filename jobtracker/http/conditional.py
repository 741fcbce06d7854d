"""Conditional requests (RFC 9110, section 13): 304 for cheap polling, 412 for lost updates.

The user's revision is incremented by every transaction that changes anything of the user's. It is
part of the ETag of each GET, so that a GET with If-None-Match costs one query, for the user.
Responses are cached by their ETags, so that a cached one cannot be out of date.

A resource that supports If-Match has a version of its own, which precedes a hyphen in its ETag.
"""

import base64
import datetime
import hashlib
import operator
import re
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from cachetools import LRUCache
from pyramid.events import NewResponse
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

_ETAG = re.compile(r'(W/)?"([^"]*)"')

# Bytes that a cached response takes beside its body and headers.
ENTRY_OVERHEAD_BYTES = 500

# Seconds by which the time is rounded in BY_ROUNDED_NOW.
ROUNDING = 10

# Key in the WSGI environ: the response can change although the revision does not.
_BY_BODY = "jobtracker.etag_by_body"

HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


class ETagStrategy(Enum):
    """What an ETag is computed from."""

    #: The user's revision: for what only writes change.
    BY_REVISION = "revision"
    #: The revision and ``request.rounded_now``: for what counts up to now.
    BY_ROUNDED_NOW = "rounded now"
    #: The body, which has to be made: for what can change at any moment.
    BY_BODY = "body"


def rounded_now(request: Request) -> datetime.datetime:
    """``request.rounded_now``: the time, rounded down to :data:`ROUNDING` seconds."""
    return datetime.datetime.fromtimestamp(time.time() // ROUNDING * ROUNDING, datetime.UTC)


def use_body_etag(request: Request) -> None:
    """Compute this response's ETag from its body, and do not cache it, whatever the operation's
    strategy: it waits for something that another system changes."""
    request.environ[_BY_BODY] = True


class CachedResponse(NamedTuple):
    body: bytes
    headers: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Bytes of memory, approximately."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.body) + headers + ENTRY_OVERHEAD_BYTES


class ResponseCache:
    """The most recently used responses by ETag, thread-safe.

    :param max_bytes: of all responses; one that takes more than an eighth is not cached
    """

    def __init__(self, max_bytes: int) -> None:
        size = operator.attrgetter("size")
        self._responses: LRUCache[str, CachedResponse] = LRUCache(max_bytes, getsizeof=size)
        self._lock = threading.Lock()

    def get(self, tag: str) -> CachedResponse | None:
        with self._lock:
            return self._responses.get(tag)

    def put(self, tag: str, response: CachedResponse) -> None:
        if response.size <= self._responses.maxsize // 8:
            with self._lock:
                self._responses[tag] = response


def entity_tags(header: str, *, include_weak: bool = False) -> list[str]:
    """The entity tags of If-Match, or including weak ones of If-None-Match.

    Which comparison is weak: RFC 9110, 13.1.1 and 13.1.2. Compressing proxies weaken strong tags.
    """
    return [tag for weak, tag in _ETAG.findall(header) if include_weak or not weak]


def if_match_versions(request: Request) -> frozenset[str] | None:
    """The versions that If-Match accepts; None for any."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return frozenset(tag.partition("-")[0] for tag in entity_tags(header))


def conditional_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    cache = ResponseCache(registry.settings["cache.max_bytes"])

    def conditional_tween(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return handler(request)
        strategy = request.operation and request.operation.etag
        if strategy is ETagStrategy.BY_REVISION:
            return by_revision(request)
        if strategy is ETagStrategy.BY_ROUNDED_NOW:
            return by_revision(request, str(request.rounded_now))
        response = handler(request)
        return by_body(request, response) if strategy is ETagStrategy.BY_BODY else response

    def by_body(request: Request, response: Response) -> Response:
        if response.status_code != 200:
            return response
        tag = _digest(str(request.identity.id).encode(), response.body)
        return _with_etag(request, response, tag)

    def by_revision(request: Request, moment: str = "") -> Response:
        user = request.identity
        if user is None:
            return handler(request)
        environ = request.environ
        target = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        state = f"{user.id} {user.revision} {moment} {target}"
        tag = _digest(registry["representation"], state.encode())
        if_none_match = environ.get("HTTP_IF_NONE_MATCH", "")
        for known in entity_tags(if_none_match, include_weak=True):
            if known.rpartition("-")[2] == tag:
                return _not_modified(known)
        if (cached := cache.get(tag)) is not None:
            response = Response(cached.body, headerlist=list(cached.headers))
            if if_none_match.strip() == "*":
                return _not_modified(response.headers["ETag"].strip('"'))
            return response
        response = handler(request)
        if _BY_BODY in environ:
            return by_body(request, response)
        if response.status_code == 200:
            response = _with_etag(request, response, tag)
            if response.status_code == 200:
                cache.put(tag, CachedResponse(response.body, tuple(response.headerlist)))
        return response

    return conditional_tween


def _with_etag(request: Request, response: Response, tag: str) -> Response:
    """The response with its ETag, or 304."""
    version = response.headers.get("ETag", "").strip('"')
    etag = f"{version}-{tag}" if version else tag
    if_none_match = request.environ.get("HTTP_IF_NONE_MATCH", "")
    if if_none_match.strip() == "*" or etag in entity_tags(if_none_match, include_weak=True):
        return _not_modified(etag)
    response.headers["ETag"] = f'"{etag}"'
    response.headers.update(HEADERS)
    return response


def _not_modified(etag: str) -> Response:
    return Response(status=304, headerlist=[("ETag", f'"{etag}"'), *HEADERS.items()])


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(b"\0".join(parts), digest_size=15).digest()
    return base64.urlsafe_b64encode(digest).decode().replace("-", ".")


def default_no_store(event: NewResponse) -> None:
    """Responses without a Cache-Control of their own (tokens, presigned URLs, errors): no-store."""
    event.response.headers.setdefault("Cache-Control", "no-store")


def includeme(config: Any) -> None:
    config.add_subscriber(default_no_store, NewResponse)
    config.add_request_method(rounded_now, reify=True)
