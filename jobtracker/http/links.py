"""References to resources in ``Location`` and ``Link``: never made of the client's ``Host``.

With the setting ``http.public_origin`` they are absolute, without it relative to the request's URL
(RFC 9110, 10.2.2; RFC 8288, 3.1).

The API can be below a path prefix: the path of ``http.public_origin``, whether a proxy removes it
from requests or not; without that setting, what a trusted proxy says that it has removed, and
SCRIPT_NAME.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from pyramid.request import Request
from pyramid.response import Response

from jobtracker.http.proxies import removed_prefix


class RelativeLocationResponse(Response):
    """A response whose Location is sent as it is: WebOb would prepend the client's Host."""

    default_content_type = "application/json"

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        start_response(self.status, self.headerlist)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else self.app_iter


def reference(request: Request, path: str) -> str:
    """The reference to a percent-encoded path of the API."""
    return (request.registry.settings["http.public_origin"] or path_prefix(request)) + path


def path_prefix(request: Request) -> str:
    """The path, percent-encoded, below which clients reach the API; mostly blank."""
    if request.registry.settings["http.public_origin"]:
        return configured_prefix(request.registry)
    script_name = request.environ.get("SCRIPT_NAME", "").rstrip("/")
    return removed_prefix(request) + quote(script_name.encode("latin-1"))


def configured_prefix(registry: Any) -> str:
    """The path of ``http.public_origin``."""
    origin = registry.settings["http.public_origin"]
    return urlsplit(origin).path if origin else ""


def without_prefix(path: str, prefix: str) -> str:
    """A path of a request as it is below the prefix, whether a proxy has removed that or not."""
    if prefix and f"{path}/".startswith(f"{prefix}/"):
        return path[len(prefix) :] or "/"
    return path


def includeme(config: Any) -> None:
    config.set_response_factory(lambda _request: RelativeLocationResponse())
