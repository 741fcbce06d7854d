"""The servers of ``pserve``: ``use = egg:jobtracker#granian`` (production), ``#waitress``.

Both answer the requests that they reject themselves as the application answers errors, answer
``/health`` and ``/ready`` in threads of their own, and lose no request when they stop
(jobtracker.servers.stopping). Both limit what clients can occupy: connections, memory, and the time
of a header, a body and a response.
"""

import contextlib
import ctypes
import functools
import logging
import re
import resource
from collections.abc import Mapping
from typing import Any

from jobtracker.errors import ApiError, BadRequest, RateLimited, log_rate_limited
from jobtracker.http.access_log import access_log, write_record
from jobtracker.http.cors import cors_headers
from jobtracker.http.request_id import HEADER as REQUEST_ID
from jobtracker.http.request_id import valid_or_new_request_id
from jobtracker.http.security_headers import content_security_policy, security_headers
from jobtracker.renderer import json_dumps
from jobtracker.settings import is_loopback

log = logging.getLogger(__name__)

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]+)(:[0-9]*)?")

# Parameters of mallopt(3). An allocation of so many bytes is a mapping of its own.
M_MMAP_THRESHOLD, LARGE_ALLOCATION = -3, 128 * 1024
M_ARENA_MAX, MAX_ARENAS = -8, 2

# File descriptors beside those of connections to clients.
OTHER_FILES = 200


def error_response(
    error: ApiError, settings: Mapping[str, Any], origin: str, request_id: str
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of an error that a server answers."""
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        REQUEST_ID: valid_or_new_request_id(request_id),
        **error.headers,
        **dict([*security_headers(settings), content_security_policy()]),
        "Vary": "Origin",
        **cors_headers(origin, frozenset(settings["cors.origins"])),
    }
    body = json_dumps({"error": error.code, "message": error.message})
    if isinstance(error, RateLimited):
        log_rate_limited(error)
    return error.status, list(headers.items()), body


def log_rejection(
    environ: dict[str, Any],
    registry: Any,
    error: ApiError,
    response: tuple[int, list[tuple[str, str]], bytes],
    seconds: float,
) -> None:
    """Write the record of the access log of a request, and the error_response() to it."""
    status, headers, body = response
    if access_log.isEnabledFor(logging.INFO):
        write_record(
            environ,
            registry,
            request_id=dict(headers)[REQUEST_ID],
            status=status,
            size=len(body),
            seconds=seconds,
            error=error,
        )


@functools.lru_cache(maxsize=64)
def check_host(host: str, protocol: str) -> None:
    """Check the value of Host: one uri-host with an optional port (RFC 9112, 3.2; RFC 3986, 3.2.2).

    :raises BadRequest: for another value, and for none with HTTP/1.1
    """
    if not (_HOST.fullmatch(host) if host else protocol != "HTTP/1.1"):
        raise BadRequest


def check_environment(settings: Mapping[str, Any], hosts: list[str], connections: int) -> None:
    """Allow as many open files as there can be connections; log what the operator should change."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < needed:
            reason = "is more than the limit of open files allows, %d (ulimit -n)"
            log.warning(f"Setting connection_limit: {reason}", hard)
    if not settings["proxies.trusted"] and not all(map(is_loopback, hosts)):
        reason = "is empty: all clients behind a proxy share one rate limit"
        log.warning("Setting proxies.trusted: listening on %s, it %s", ", ".join(hosts), reason)


def limit_malloc() -> None:
    """Let glibc return the memory of large bodies to the system, instead of keeping it for the
    thread that allocated it: https://man7.org/linux/man-pages/man3/mallopt.3.html"""
    with contextlib.suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE_ALLOCATION)
        mallopt(M_ARENA_MAX, MAX_ARENAS)


def start_traces(registry: Any) -> None:
    """Export the spans of this process, where :mod:`jobtracker.tracing` is configured."""
    if (traces := registry.get("traces")) is not None:
        traces.start()
