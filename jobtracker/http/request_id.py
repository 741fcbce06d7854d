"""``X-Request-ID`` on every response.

An id that the client or a proxy sends is kept, so that a request can be traced through all logs.
"""

import logging
import os
import re
import time
from collections.abc import Callable

from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

from jobtracker.http.access_log import STARTED, access_log, log_access, trace_id_of
from jobtracker.logs import request_id, trace_id

HEADER = "X-Request-ID"

# Only ids that are harmless in a log are kept.
_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def valid_or_new_request_id(given: str | None) -> str:
    """The given id, or a new one where it is missing or invalid."""
    return given if given and _ID.fullmatch(given) else os.urandom(16).hex()


def request_id_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    def request_id_tween(request: Request) -> Response:
        environ = request.environ
        # A retry by pyramid_retry has the same id.
        value = environ.get("jobtracker.request_id") or valid_or_new_request_id(
            environ.get("HTTP_X_REQUEST_ID")
        )
        environ["jobtracker.request_id"] = value
        request_id.set(value)
        trace_id.set(trace_id_of(environ))
        started = environ.setdefault(STARTED, time.perf_counter())
        response = handler(request)
        response.headerlist.append((HEADER, value))
        # The request refers to itself by its context: without this the body would be kept until the
        # next garbage collection.
        vars(request).pop("response", None)
        if access_log.isEnabledFor(logging.INFO):
            log_access(request, response, time.perf_counter() - started)
        return response

    return request_id_tween
