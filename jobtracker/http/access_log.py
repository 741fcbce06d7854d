"""The access log: the logger ``jobtracker.access``."""

import logging
from urllib.parse import quote

from pyramid.request import Request
from pyramid.response import Response

from jobtracker.http.proxies import client_address

access_log = logging.getLogger("jobtracker.access")


def log_access(request: Request, response: Response, milliseconds: float) -> None:
    """Write a record with method, path, status, duration and client address."""
    # Not the query: it contains search terms.
    path = quote(request.environ["PATH_INFO"].encode("latin-1"))[:500]
    entry = {"method": request.method, "path": path, "status": response.status_code}
    entry["milliseconds"] = round(milliseconds, 1)
    extra = {**entry, "client": str(client_address(request))}
    access_log.info("%s %s %d %.1f ms", *entry.values(), extra=extra)
