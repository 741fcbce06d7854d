"""References to resources in ``Location`` and ``Link``: never made of the client's ``Host``.

With the setting ``http.public_origin`` they are absolute, without it relative to the request's URL
(RFC 9110, 10.2.2; RFC 8288, 3.1).
"""

from collections.abc import Callable, Iterable
from typing import Any

from pyramid.request import Request
from pyramid.response import Response


class RelativeLocationResponse(Response):
    """A response whose Location is sent as it is: WebOb would prepend the client's Host."""

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        start_response(self.status, self.headerlist)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else self.app_iter


def reference(request: Request, path: str) -> str:
    """The reference to a percent-encoded path of the API."""
    return (request.registry.settings["http.public_origin"] or "") + path


def includeme(config: Any) -> None:
    config.set_response_factory(lambda _request: RelativeLocationResponse())
