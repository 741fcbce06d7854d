"""Headers for browsers on every response: no sniffing, no referrer, nothing to run or to frame.

https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
"""

from collections.abc import Callable, Mapping
from typing import Any

from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

CSP = "Content-Security-Policy"


def security_headers(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers, except for :data:`CSP`; Strict-Transport-Security (RFC 6797) by a setting."""
    headers = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
    if (seconds := settings["http.hsts_max_age"]) is not None:
        headers.append(("Strict-Transport-Security", f"max-age={seconds}"))
    return headers


def content_security_policy() -> tuple[str, str]:
    """The policy of a response that is no page."""
    return CSP, "default-src 'none'; frame-ancestors 'none'"


def security_headers_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    headers = security_headers(registry.settings)
    with_policy = [*headers, content_security_policy()]

    def security_headers_tween(request: Request) -> Response:
        response = handler(request)
        # The pages of /docs have a policy of their own.
        response.headerlist.extend(headers if CSP in dict(response.headerlist) else with_policy)
        return response

    return security_headers_tween
