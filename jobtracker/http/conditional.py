"""ETagStrategy requests (RFC 9110, section 13): cheap polling, and tabs that respect each other.

Everything of a user's is known by the user's revision, which every transaction counts up that
changes anything of theirs. So a GET that carries the ETag of its last answer costs one query, for
the user, who is asked for anyway. What does not change between two revisions is not even made
twice: bodies are kept by their ETags, which the revision is part of, so that none of them can be
out of date.

A resource that can be changed has a version of its own in its ETag, before a hyphen: that is what
If-Match is compared with.
"""

import base64
import datetime
import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from pyramid.events import NewResponse
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

from jobtracker.errors import PreconditionFailed, VersionConflict
from jobtracker.fields import Schema

_ETAG = re.compile(r'(W/)?"([^"]*)"')


# Bytes of what is kept beside an answer's body and headers.
ENTRY = 500


class ETagStrategy(Enum):
    """By what an answer is known to be the same as the last one."""

    BY_REVISION = "revision"
    #: What counts up to now as well, and takes :func:`tick` for now.
    BY_TICK = "tick"
    #: What can change at any moment: it has to be made to be compared.
    BY_BODY = "body"


# Seconds. What is told in days, to four decimals, is not told more exactly than that.
TICK = 10


def tick(request: Request) -> datetime.datetime:
    """``request.tick``: now, but for the last seconds, so that it is the same for some time."""
    return datetime.datetime.fromtimestamp(time.time() // TICK * TICK, datetime.UTC)


class CachedResponse(NamedTuple):
    """An answer that can be given again."""

    body: bytes
    headers: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Bytes that it takes, or so."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers) + ENTRY


class ResponseCache:
    """The answers that were given last, up to so many bytes. It can be shared by all threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, CachedResponse] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tag: str) -> CachedResponse | None:
        with self._lock:
            kept = self._kept.get(tag)
            if kept is not None:
                self._kept.move_to_end(tag)
            return kept

    def put(self, tag: str, kept: CachedResponse) -> None:
        """Keep an answer, in the place of those that were not asked for for the longest time."""
        size = kept.size
        if size > self._max_bytes // 8:  # one list is not worth all others
            return
        with self._lock:
            if tag not in self._kept:
                self._kept[tag] = kept
                self._bytes += size
            while self._bytes > self._max_bytes:
                _tag, oldest = self._kept.popitem(last=False)
                self._bytes -= oldest.size


def tags_of(header: str, *, weak_too: bool = False) -> list[str]:
    """The entity tags of an If-Match, or with the weak ones of an If-None-Match header.

    A proxy that compresses makes a strong tag weak: RFC 9110, 13.1.1 and 13.1.2 say what counts.
    """
    return [tag for weak, tag in _ETAG.findall(header) if weak_too or not weak]


def versions(request: Request) -> frozenset[str] | None:
    """What the request's If-Match asks for; None where any version will do."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return frozenset(tag.partition("-")[0] for tag in tags_of(header))


def refusal(changed: VersionConflict, schema: Schema | None) -> PreconditionFailed:
    """What is told to whoever wanted to change another version: the present one."""
    details = {"current": schema.dump(changed.current)} if schema is not None else None
    return PreconditionFailed(details=details)


def conditional_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    bodies = ResponseCache(registry.settings["cache.max_bytes"])

    def conditional_tween(request: Request) -> Response:
        paths = registry["conditional_paths"]
        path = request.environ["PATH_INFO"]
        if request.method not in ("GET", "HEAD"):
            return handler(request)
        if paths[ETagStrategy.BY_REVISION].fullmatch(path):
            return by_revision(request)
        if paths[ETagStrategy.BY_TICK].fullmatch(path):
            return by_revision(request, str(request.tick))
        response = handler(request)
        if response.status_code == 200 and paths[ETagStrategy.BY_BODY].fullmatch(path):
            tag = _digest(str(request.identity.id).encode(), response.body)
            return _tagged(request, response, tag)
        return response

    def by_revision(request: Request, moment: str = "") -> Response:
        user = request.identity
        if user is None:
            return handler(request)
        environ = request.environ
        # With the host: links lead to the one that was asked.
        url = f"{request.host_url}{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        tag = _digest(
            registry["representation"], f"{user.id} {user.revision} {moment} {url}".encode()
        )
        asked = environ.get("HTTP_IF_NONE_MATCH")
        if asked is not None:
            for known in tags_of(asked, weak_too=True):
                if known.rpartition("-")[2] == tag:
                    return _not_modified(known)
        kept = bodies.get(tag)
        if kept is not None:
            response = Response(kept.body, headerlist=list(kept.headers))
            if (asked or "").strip() == "*":
                return _not_modified(response.headers["ETag"].strip('"'))
            return response
        response = handler(request)
        if response.status_code == 200:
            response = _tagged(request, response, tag)
            if response.status_code == 200:
                bodies.put(tag, CachedResponse(response.body, tuple(response.headerlist)))
        return response

    return conditional_tween


def _tagged(request: Request, response: Response, tag: str) -> Response:
    version = response.headers.get("ETag", "").strip('"')
    etag = f"{version}-{tag}" if version else tag
    asked = request.environ.get("HTTP_IF_NONE_MATCH", "")
    if asked.strip() == "*" or etag in tags_of(asked, weak_too=True):
        return _not_modified(etag)
    response.headers["ETag"] = f'"{etag}"'
    response.headers.update(HEADERS)
    return response


# Each poll asks, and nobody but the user's own browser keeps anything.
HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


def _not_modified(etag: str) -> Response:
    return Response(status=304, headerlist=[("ETag", f'"{etag}"'), *HEADERS.items()])


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(b"\0".join(parts), digest_size=15).digest()
    return base64.urlsafe_b64encode(digest).decode().replace("-", ".")


def keep_nothing(event: NewResponse) -> None:
    """What says nothing else is kept by nobody: tokens, presigned URLs, errors."""
    event.response.headers.setdefault("Cache-Control", "no-store")


def includeme(config: Any) -> None:
    config.add_subscriber(keep_nothing, NewResponse)
    config.add_request_method(tick, "tick", reify=True)
