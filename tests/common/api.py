"""A client of the API, which checks every response."""

from typing import Any

from webtest import TestApp, TestResponse

from jobtracker.errors import CODES
from tests.common.conformance import assert_documented

ORIGIN = "http://localhost:5173"

# For responses that are compared byte by byte.
SAME_REQUEST_ID = {"X-Request-ID": "same"}


class Api:
    """WebTest with JSON bodies, the SPA's origin and a token."""

    def __init__(self, app: TestApp, token: str | None = None) -> None:
        self.app = app
        self.token = token

    def signed_in(self, token: str) -> "Api":
        return Api(self.app, token)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.call("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.call("PUT", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.call("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.call("DELETE", path, **options)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int | str = "2*",
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """One request. Bytes are sent as they are, anything else as JSON.

        :param status: the expected one
        """
        own = {"Origin": ORIGIN}
        if self.token is not None:
            own["Authorization"] = f"Bearer {self.token}"
        own |= headers or {}
        options: dict[str, Any] = {"method": method, "headers": own}
        if isinstance(body, bytes):
            options["body"] = body
            own.setdefault("Content-Type", "application/json")
        elif body is not None:
            options["body"] = self.app.JSONEncoder().encode(body).encode()
            own["Content-Type"] = own.get("Content-Type", "application/json")
        response = self.app.request(path, status=status, **options)
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Origin" in response.headers["Vary"]
        assert response.headers["X-Request-ID"]
        if response.status_code >= 400 and method != "HEAD":
            assert_error(response)
        assert_documented(self.app.app.registry["openapi_document"], method, path, response)
        return response

    def refused(
        self, status: int, method: str, path: str, body: Any = None, **options: Any
    ) -> dict[str, Any]:
        """The error of a request that must be refused with the status."""
        return self.call(method, path, body, status=status, **options).json

    def field_errors(self, method: str, path: str, body: Any, **options: Any) -> dict[str, str]:
        """The types of errors by field, of a request that must be refused with 422."""
        error = self.refused(422, method, path, body, **options)
        return {entry["loc"][-1]: entry["type"] for entry in error["details"]["errors"]}


def assert_error(response: TestResponse) -> None:
    """Check the shape of an error."""
    error = response.json
    assert error.keys() in ({"error", "message"}, {"error", "message", "details"})
    assert error["message"]
    code, _message = CODES[response.status_code]
    assert error["error"] in (code, "EMAIL_NOT_VERIFIED")
    assert error.get("details", True)
    assert response.content_type == "application/json"
    if response.status_code == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"
    if response.status_code == 405:
        assert response.headers["Allow"]
    if response.status_code in (429, 503):
        assert int(response.headers["Retry-After"]) > 0
    if response.status_code == 422:
        for entry in error["details"]["errors"]:
            assert entry.keys() == {"loc", "msg", "type"}


def statuses(responses: list[TestResponse]) -> list[int]:
    """The statuses in ascending order."""
    return sorted(response.status_code for response in responses)
