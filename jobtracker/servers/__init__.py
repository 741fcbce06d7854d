"""The servers of ``pserve``: ``use = egg:jobtracker#granian`` (production), ``#waitress``.

Both answer the requests that they reject themselves as the application answers errors, answer
``/health`` before queued requests, and on SIGTERM finish the requests that have begun.
"""

from collections.abc import Mapping
from typing import Any

from jobtracker.errors import CODES
from jobtracker.http.cors import cors_headers
from jobtracker.http.request_id import HEADER as REQUEST_ID
from jobtracker.http.request_id import valid_or_new_request_id
from jobtracker.renderer import json_dumps

# Seconds, of an error that a server answers.
RETRY_AFTER = 5


def error_response(
    status: int, settings: Mapping[str, Any], origin: str, request_id: str
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status (400 for one not in CODES), headers and body of an error that a server answers."""
    status = status if status in CODES else 400
    code, message = CODES[status]
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        REQUEST_ID: valid_or_new_request_id(request_id),
        **cors_headers(origin, frozenset(settings["cors.origins"])),
    }
    if status in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER)
    return status, list(headers.items()), json_dumps({"error": code, "message": message})
