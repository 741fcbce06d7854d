"""Conditional requests (RFC 9110, section 13): 304 for cheap polling, 412 for lost updates.

The user's revision is incremented by every transaction that changes anything of the user's. It is
part of the ETag of each GET, so that a GET with If-None-Match costs one query, for the user; so is
its nonce, since a restore of the database sets the revision back. Responses are cached by the
digest in their ETags, so that a cached one cannot be out of date; those that are streamed are not.

An ETag is a digest, which a prefix and a hyphen can precede. Of a resource that supports If-Match
the prefix is its own version; of one that changes at a known time without a write, that time.
"""

import base64
import datetime
import hashlib
import operator
import re
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple

from cachetools import LRUCache
from pyramid.events import NewResponse
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

from jobtracker.http.links import RelativeLocationResponse, path_prefix

# An entity tag (RFC 9110, 8.8.3), weak or strong.
_ETAG = re.compile(r'"([^"]*)"')
# What this module makes of it: a prefix, a digest. What follows is a proxy's.
_PREFIX = re.compile(r"([A-Za-z0-9]+)(?![\w.])")
_PREFIX_AND_DIGEST = re.compile(r"(?:([A-Za-z0-9]+)-)?([\w.]{20})(?![\w.])", re.ASCII)
_MICROSECONDS = re.compile("[0-9]{1,18}")

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

# Bytes that a cached response takes beside its body and headers.
ENTRY_OVERHEAD_BYTES = 500

# Seconds by which the time is rounded in BY_ROUNDED_NOW.
ROUNDING = 10

# Keys in the WSGI environ: the response can change although the revision does not; and when.
_BY_BODY = "jobtracker.etag_by_body"
_CHANGES_AT = "jobtracker.changes_at"

HEADERS = [("Cache-Control", "private, no-cache"), ("Vary", "Authorization")]


class ETagStrategy(Enum):
    """What an ETag is computed from."""

    #: The user's revision: for what only writes change.
    BY_REVISION = "revision"
    #: The revision and ``request.rounded_now``: for what counts up to now.
    BY_ROUNDED_NOW = "rounded now"
    #: The revision, and the time of the first change that is no write: for what changes at times
    #: that are known. The view calls :func:`set_times_of_change`.
    BY_REVISION_UNTIL = "revision until"
    #: The body, which has to be made: for what can change at any moment.
    BY_BODY = "body"


def rounded_now(request: Request) -> datetime.datetime:
    """``request.rounded_now``: the time, rounded down to :data:`ROUNDING` seconds."""
    return datetime.datetime.fromtimestamp(time.time() // ROUNDING * ROUNDING, datetime.UTC)


def use_body_etag(request: Request) -> None:
    """Compute this response's ETag from its body, and do not cache it, whatever the operation's
    strategy: it waits for something that another system changes."""
    request.environ[_BY_BODY] = True


def set_times_of_change(request: Request, times: Iterable[datetime.datetime | None]) -> None:
    """Declare when the response will change without a write, by the clock of the database.

    :param times: later than the statement that the response is made of; None for never
    """
    request.environ[_CHANGES_AT] = min((time for time in times if time is not None), default=None)


class CachedResponse(NamedTuple):
    body: bytes
    headers: tuple[tuple[str, str], ...]
    #: The prefix of the ETag in BY_REVISION_UNTIL.
    until: str = ""

    @property
    def size(self) -> int:
        """Bytes of memory, approximately."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.body) + headers + ENTRY_OVERHEAD_BYTES


class ResponseCache:
    """The most recently used responses by the digest in their ETags, thread-safe.

    :param max_bytes: of all responses; one that takes more than an eighth is not cached
    """

    def __init__(self, max_bytes: int) -> None:
        size = operator.attrgetter("size")
        self._responses: LRUCache[str, CachedResponse] = LRUCache(max_bytes, getsizeof=size)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._responses)

    @property
    def bytes(self) -> int:
        """Of all responses, approximately."""
        return int(self._responses.currsize)

    def get(self, tag: str) -> CachedResponse | None:
        with self._lock:
            return self._responses.get(tag)

    def put(self, tag: str, response: CachedResponse) -> None:
        if response.size <= self._responses.maxsize // 8:
            with self._lock:
                self._responses[tag] = response


def entity_tags(header: str) -> list[tuple[str, str]]:
    """The entity tags of If-None-Match that can be ours, as prefix and digest.

    Compressing proxies change tags: nginx makes them weak (``W/"x"``), and Apache, Caddy, Jetty and
    others append the coding (``"x-gzip"``, ``"x--gzip"``, ``"x;br"``). Both are ignored.
    """
    matches = map(_PREFIX_AND_DIGEST.match, _ETAG.findall(header))
    return [(match[1] or "", match[2]) for match in matches if match]


def if_match_versions(request: Request) -> frozenset[str] | None:
    """The versions that If-Match accepts; None for any.

    Those of tags that a proxy has changed, too, weak ones included. RFC 9110, 13.1.1, demands the
    strong comparison since equal weak tags can stand for different bytes. Here not bytes are
    compared but versions, which are different after each change, whatever coding a proxy applies.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return frozenset(match[1] for tag in _ETAG.findall(header) if (match := _PREFIX.match(tag)))


def conditional_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    cache = registry["response_cache"] = ResponseCache(registry.settings["cache.max_bytes"])

    def conditional_tween(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return handler(request)
        strategy = request.operation and request.operation.etag
        if strategy in (ETagStrategy.BY_REVISION, ETagStrategy.BY_REVISION_UNTIL):
            return by_revision(request, has_until=strategy is ETagStrategy.BY_REVISION_UNTIL)
        if strategy is ETagStrategy.BY_ROUNDED_NOW:
            return by_revision(request, str(request.rounded_now))
        response = handler(request)
        return by_body(request, response) if strategy is ETagStrategy.BY_BODY else response

    def by_body(request: Request, response: Response) -> Response:
        if response.status_code != 200:
            return response
        tag = _digest(str(request.identity.id).encode(), response.body)
        return _with_etag(request, response, tag)

    def by_revision(request: Request, moment: str = "", *, has_until: bool = False) -> Response:
        user = request.identity
        if user is None:
            return handler(request)
        environ = request.environ
        target = f"{path_prefix(request)}{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        state = f"{user.version} {moment} {target}"
        tag = _digest(registry["representation"], state.encode())
        if_none_match = environ.get("HTTP_IF_NONE_MATCH", "")
        for prefix, digest in entity_tags(if_none_match):
            if digest == tag and not (has_until and _is_past(prefix, user.read_at)):
                return _not_modified(_join(prefix, digest))
        cached = cache.get(tag)
        if cached is not None and not _is_past(cached.until, user.read_at):
            response = RelativeLocationResponse(cached.body, headerlist=list(cached.headers))
            if if_none_match.strip() == "*":
                return _not_modified(response.headers["ETag"].strip('"'))
            return response
        response = handler(request)
        if _BY_BODY in environ:
            return by_body(request, response)
        if response.status_code == 200:
            until = ""
            if has_until and (changes_at := environ[_CHANGES_AT]) is not None:
                until = str(_microseconds(changes_at))
                response.headers["ETag"] = f'"{until}"'
            response = _with_etag(request, response, tag)
            if response.status_code == 200 and response.content_length is not None:
                cache.put(tag, CachedResponse(response.body, tuple(response.headerlist), until))
        return response

    return conditional_tween


def _with_etag(request: Request, response: Response, tag: str) -> Response:
    """The response with its ETag, or 304."""
    prefix = response.headers.pop("ETag", "").strip('"')
    etag = _join(prefix, tag)
    if_none_match = request.environ.get("HTTP_IF_NONE_MATCH", "")
    if if_none_match.strip() == "*" or (prefix, tag) in entity_tags(if_none_match):
        return _not_modified(etag)
    response.headerlist.extend([("ETag", f'"{etag}"'), *HEADERS])
    return response


def _not_modified(etag: str) -> Response:
    headers = [("ETag", f'"{etag}"'), *HEADERS]
    return RelativeLocationResponse(status="304 Not Modified", headerlist=headers)


def _join(prefix: str, digest: str) -> str:
    return f"{prefix}-{digest}" if prefix else digest


def _microseconds(time: datetime.datetime) -> int:
    return (time - EPOCH) // datetime.timedelta(microseconds=1)


def _is_past(until: str, now: datetime.datetime) -> bool:
    """Whether the time in an ETag has come.

    A client can invent one: it then gets 304 for what it may never have received; others do not.
    """
    return bool(until) and not (_MICROSECONDS.fullmatch(until) and _microseconds(now) < int(until))


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(b"\0".join(parts), digest_size=15).digest()
    return base64.urlsafe_b64encode(digest).decode().replace("-", ".")


def default_no_store(event: NewResponse) -> None:
    """Responses without a Cache-Control of their own (tokens, presigned URLs, errors): no-store."""
    event.response.headers.setdefault("Cache-Control", "no-store")


def includeme(config: Any) -> None:
    config.add_subscriber(default_no_store, NewResponse)
    config.add_request_method(rounded_now, reify=True)
