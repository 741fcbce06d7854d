"""Refusal of requests that web pages of other origins make a browser send.

A page can send requests to a server on the loopback interface (CSRF), and read the responses if its
own host name resolves to that interface (DNS rebinding). The headers Host and Origin show both:
https://fetch.spec.whatwg.org/#origin-header
"""

import logging
import re
from collections.abc import Callable, Iterable
from http.client import responses
from typing import Any, NamedTuple

from jobtracker.errors import Forbidden
from jobtracker.servers import error_response

log = logging.getLogger(__name__)

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Guard(NamedTuple):
    """The host names and origins whose requests are accepted, in lower case."""

    hosts: frozenset[str] = LOOPBACK_HOSTS
    origins: frozenset[str] = frozenset()

    def reason_to_refuse(self, host: str, origin: str | None) -> str | None:
        """Return a message if a request with these values of Host and Origin is refused.

        :param origin: None for a request without the header, which no browser sends cross-origin
            but for GET and HEAD
        """
        if re.sub(r":\d+$", "", host.lower()) not in self.hosts:
            return "The host name of this request is not among the setting local.hosts."
        if origin is not None and origin.lower() not in self.origins:
            return "The origin of this request is not among the setting cors.origins."
        return None


class GuardedApplication:
    """The WSGI application of JobTracker behind a guard, which accepts its own origin as well."""

    def __init__(self, app: Any, hosts: Iterable[str]) -> None:
        self.app, self.registry = app, app.registry
        self.hosts = frozenset(hosts)
        self.origins = frozenset(self.registry.settings["cors.origins"])

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")
        own_origin = f"{environ['wsgi.url_scheme']}://{host.lower()}"
        reason = Guard(self.hosts, self.origins | {own_origin}).reason_to_refuse(host, origin)
        if reason is None:
            return self.app(environ, start_response)
        log.warning("%s (Host: %.100r, Origin: %.100r)", reason, host, origin)
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        error = Forbidden(reason)
        status, headers, body = error_response(error, self.registry.settings, "", request_id)
        start_response(f"{status} {responses[status]}", headers)
        return [body]
