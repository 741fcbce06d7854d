"""The access log: the logger ``jobtracker.access``, a record for each request.

What its fields mean is in docs/logs.md.
"""

import functools
import logging
import os
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from pyramid.request import Request
from pyramid.response import Response

from jobtracker.errors import RateLimited
from jobtracker.http.proxies import Networks, address_behind
from jobtracker.logs import AccessRecord, redact, utc
from jobtracker.logs.buffer import buffer_of

access_log = logging.getLogger("jobtracker.access")

#: Keys in the WSGI environ: the time of ``time.perf_counter()`` when the request was first
#: attempted, and the trace id where traces are exported.
STARTED = "jobtracker.started"
TRACE_ID = "jobtracker.trace_id"

MAX_PATH_LENGTH = 500

# Of the paths and addresses that were logged last, and of each of them.
CACHE_SIZE, MAX_CACHED_LENGTH = 2048, 200

# https://www.w3.org/TR/trace-context/#traceparent-header-field-values
_TRACEPARENT = re.compile(
    "(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


def trace_id_of(environ: Mapping[str, Any]) -> str | None:
    """The trace id of a request, as it is traced here or by its client."""
    if (traced := environ.get(TRACE_ID)) is not None:
        return str(traced)
    given = environ.get("HTTP_TRACEPARENT")
    match = _TRACEPARENT.fullmatch(given) if given else None
    # Version 00 has nothing after the flags.
    return match[1] if match and (len(match[0]) == 55 or match[0][:2] != "00") else None


def logged_path(path: str) -> str:
    """A path of a WSGI environ, percent-encoded and without secrets.

    Not the query: it contains search terms.
    """
    if len(path) > MAX_CACHED_LENGTH:
        return _safe(path)
    return _cached_safe(path)


def _safe(path: str) -> str:
    return quote(redact(path).encode("latin-1"), safe="/*")[:MAX_PATH_LENGTH]


_cached_safe = functools.lru_cache(maxsize=CACHE_SIZE)(_safe)


def _client(environ: Mapping[str, Any], registry: Any) -> str:
    """The client's address, which takes a third of the time of a record where it is not cached."""
    peer, forwarded = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
    find = _address if len(forwarded) > MAX_CACHED_LENGTH else _cached_address
    return find(registry.settings["proxies.trusted"], peer, forwarded)


def _address(trusted: Networks, peer: str, forwarded: str) -> str:
    return str(address_behind(trusted, peer, forwarded))


_cached_address = functools.lru_cache(maxsize=CACHE_SIZE)(_address)


def log_access(request: Request, response: Response, seconds: float) -> None:
    """Write the record of a request that the application responded to."""
    token = vars(request).get("verified_token")  # nothing is looked up for the log
    write_record(
        request.environ,
        request.registry,
        request_id=request.environ["jobtracker.request_id"],
        status=response.status_code,
        size=0 if request.method == "HEAD" else response.content_length or 0,
        seconds=seconds,
        user_id=token.user_id if token is not None else None,
        error=vars(request).get("exception"),
    )


def _route(environ: Mapping[str, Any], registry: Any) -> str | None:
    """The template of the path: of the operation, where the server has looked it up."""
    if (operation := environ.get("jobtracker.operation")) is not None:
        return str(operation.route)
    find_route, path = registry.get("find_route"), environ["PATH_INFO"]
    return find_route(path) if find_route is not None and path else None


# A system call otherwise. A fork has another one.
_process_id = functools.cache(os.getpid)
os.register_at_fork(after_in_child=_process_id.cache_clear)


def write_record(
    environ: dict[str, Any],
    registry: Any,
    *,
    request_id: str,
    status: int,
    size: int,
    seconds: float,
    error: Any,
    user_id: int | None = None,
) -> None:
    """Write a record.

    :param environ: as far as it is known, with method, path and address
    """
    known = {name: environ[name] for name in _LOGGED if name in environ}
    limit = error.limit if isinstance(error, RateLimited) else None
    now = time.time()
    given = known, registry, now, request_id, status, size, seconds, user_id, limit
    if (buffer := buffer_of(access_log)) is not None:
        buffer.write_later(functools.partial(_line, given))
    else:
        access_log.handle(AccessRecord(access_log.name, now, _fields(*given)))


# In place of the environ, which refers to the body and more, in a line that waits.
_LOGGED = (
    "REQUEST_METHOD",
    "PATH_INFO",
    "REMOTE_ADDR",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_TRACEPARENT",
    TRACE_ID,
    "jobtracker.operation",
    "jobtracker.queued_seconds",
)


def _line(given: tuple[Any, ...]) -> bytes:
    return orjson.dumps(_fields(*given), option=orjson.OPT_APPEND_NEWLINE)


def _fields(
    environ: Mapping[str, Any],
    registry: Any,
    now: float,
    request_id: str,
    status: int,
    size: int,
    seconds: float,
    user_id: int | None,
    limit: str | None,
) -> dict[str, Any]:
    path = logged_path(environ["PATH_INFO"])
    method = logged_path(environ["REQUEST_METHOD"])[:20]
    milliseconds = round(seconds * 1000, 1)
    fields = {
        "time": utc(now),
        "level": "INFO",
        "logger": access_log.name,
        "request_id": request_id,
        "trace_id": trace_id_of(environ),
        "message": f"{method} {path} {status} {milliseconds} ms",
        "method": method,
        "route": _route(environ, registry),
        "path": path,
        "status": status,
        "bytes": size,
        "milliseconds": milliseconds,
        "queued_milliseconds": round(environ.get("jobtracker.queued_seconds", 0.0) * 1000, 1),
        "user_id": user_id,
        "client": _client(environ, registry),
        "worker": _process_id(),
    }
    return fields if limit is None else {**fields, "limit": limit}
