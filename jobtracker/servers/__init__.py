"""The servers that ``pserve`` can start: ``use = egg:jobtracker#granian``, or ``#waitress``.

Both answer what they refuse by themselves as the application answers errors, let ``/health`` go
before all that waits for a thread, and finish what they have begun when they are told to stop.
"""

from collections.abc import Mapping
from typing import Any

from jobtracker.errors import CODES
from jobtracker.http.cors import cors_headers
from jobtracker.http.request_id import HEADER as REQUEST_ID
from jobtracker.http.request_id import request_id_of
from jobtracker.renderer import json_dumps


def refusal(
    status: int, settings: Mapping[str, Any], *, origin: str = "", request_id: str = ""
) -> tuple[int, list[tuple[str, str]], bytes]:
    """The answer to a request that does not reach the application: status, headers, body.

    :param settings: the application's
    """
    if status not in CODES:
        status = 400
    code, message = CODES[status]
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        REQUEST_ID: request_id_of(request_id),
        **cors_headers(origin, frozenset(settings["cors.origins"])),
    }
    return status, list(headers.items()), json_dumps({"error": code, "message": message})
