"""The one shape of every error, and all exception views.

``{"error": CODE, "message": text for the user, "details": object}``; details are left out when
empty. What is raised anywhere below is either an :class:`ApiError`, which says what to answer, or
is turned into one here. The input is never part of an answer.
"""

import logging
import traceback
from typing import Any

import psycopg
from pyramid.exceptions import URLDecodeError
from pyramid.httpexceptions import HTTPException
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy import exc as sqlalchemy_exc

from jobtracker.renderer import json_dumps

log = logging.getLogger(__name__)

# Seconds after which it makes sense to ask again, for want of better knowledge.
RETRY_AFTER = 5

#: status -> (code, message unless a better one is known)
CODES: dict[int, tuple[str, str]] = {
    400: ("BAD_REQUEST", "The request could not be understood."),
    401: ("UNAUTHORIZED", "Please sign in."),
    403: ("FORBIDDEN", "You may not do this."),
    404: ("NOT_FOUND", "Not found."),
    405: ("METHOD_NOT_ALLOWED", "This cannot be done here."),
    406: ("NOT_ACCEPTABLE", "Only JSON is available."),
    409: ("CONFLICT", "This conflicts with the present state."),
    412: ("PRECONDITION_FAILED", "This was changed in the meantime."),
    413: ("PAYLOAD_TOO_LARGE", "This is too large."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "Please send JSON."),
    422: ("VALIDATION_ERROR", "Please check what you entered."),
    429: ("RATE_LIMITED", "Too many requests. Please wait a moment."),
    500: ("INTERNAL_ERROR", "Something went wrong on our side."),
    503: ("SERVICE_UNAVAILABLE", "The service is not available right now. Please try again."),
}


class ApiError(Exception):
    """A failure, as it is told to the client.

    :param message: text for the user; the status's own when left out
    :param status: the HTTP status, where no class of its own is worth it
    :param details: machine-readable facts beside it
    :param code: an error code other than the status's own
    :param retry_after: seconds, for those who come back
    """

    status = 500

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int | None = None,
        details: dict[str, Any] | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.status = status or self.status
        own_code, own_message = CODES[self.status]
        super().__init__(message or own_message)
        self.message = message or own_message
        self.details = details
        self.code = code or own_code
        self.headers: dict[str, str] = {}
        if self.status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"
        if self.status in (429, 503) or retry_after:
            self.headers["Retry-After"] = str(retry_after or RETRY_AFTER)


class BadRequest(ApiError):
    status = 400


class Unauthorized(ApiError):
    status = 401


class Forbidden(ApiError):
    status = 403


class NotFound(ApiError):
    status = 404


class Conflict(ApiError):
    status = 409


class PreconditionFailed(ApiError):
    status = 412


class PayloadTooLarge(ApiError):
    status = 413


class UnsupportedMediaType(ApiError):
    status = 415


class ValidationFailed(ApiError):
    """Fields at fault: one ``{"loc", "msg", "type"}`` for each."""

    status = 422

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(details={"errors": errors})


class RateLimited(ApiError):
    status = 429


class Unavailable(ApiError):
    """A dependency (database, Cognito, S3, Turnstile) does not do its part."""

    status = 503


class VersionConflict(Exception):
    """Somebody has changed it since; ``current`` is how it is now."""

    def __init__(self, current: Any) -> None:
        super().__init__()
        self.current = current


def answer(request: Request, error: ApiError) -> Response:
    """The response for an error."""
    body: dict[str, Any] = {"error": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    # A response of its own: nothing that a view had set on request.response goes out with it.
    response = Response(status=error.status, content_type="application/json", charset="utf-8")
    response.body = json_dumps(body)
    response.headers.update(error.headers)
    return response


def api_error(error: ApiError, request: Request) -> Response:
    return answer(request, error)


def http_exception(error: HTTPException, request: Request) -> Response:
    """What Pyramid and Cornice raise by themselves: unknown route, wrong method."""
    status = error.status_code
    if status not in CODES:
        status = 400 if status < 500 else 500
    response = answer(request, ApiError(status=status))
    if error.allow:
        response.allow = error.allow
    return response


def forbidden(request: Request) -> Response:
    """The policy denied: to somebody it does not know, sign-in is the way; to others it is not."""
    return answer(request, Forbidden() if request.authenticated_userid else Unauthorized())


def undecodable(request: Request) -> Response:
    """A path that is not UTF-8."""
    return answer(request, BadRequest())


def database_unavailable(error: Exception, request: Request) -> Response:
    log.error("Database: %s", _told(error))
    return answer(request, Unavailable())


def database_internal_error(error: sqlalchemy_exc.InternalError, request: Request) -> Response:
    if isinstance(error.orig, psycopg.errors.ReadOnlySqlTransaction):
        return database_unavailable(error, request)
    return unexpected(error, request)


def unexpected(error: Exception, request: Request) -> Response:
    """A bug. Whoever asked learns no more than that; the log has where it was."""
    log.error("Unexpected %s", _told(error))
    return answer(request, ApiError())


def _told(error: Exception) -> str:
    """An error for the log: what and where."""
    what = "".join(traceback.format_exception_only(error))
    of_postgres = getattr(error, "orig", error)
    # The server's own text can hold a whole row; without a code it is of the connection.
    if isinstance(of_postgres, psycopg.Error) and of_postgres.sqlstate is not None:
        constraint = of_postgres.diag.constraint_name or ""
        what = f"{type(of_postgres).__name__} {of_postgres.sqlstate} {constraint}\n"
    return what + "".join(traceback.format_tb(error.__traceback__))


def includeme(config: Any) -> None:
    # What pyramid_retry is about to try again is no answer yet: retryable_error is its predicate.
    config.add_exception_view(api_error, context=ApiError)
    config.add_exception_view(http_exception, context=HTTPException)
    config.add_notfound_view(http_exception)
    config.add_forbidden_view(forbidden)
    config.add_exception_view(undecodable, context=URLDecodeError)
    for gone in (
        sqlalchemy_exc.OperationalError,
        sqlalchemy_exc.InterfaceError,
        sqlalchemy_exc.TimeoutError,
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.ReadOnlySqlTransaction,
    ):
        config.add_exception_view(database_unavailable, context=gone, retryable_error=False)
    config.add_exception_view(
        database_internal_error, context=sqlalchemy_exc.InternalError, retryable_error=False
    )
    config.add_exception_view(unexpected, context=Exception, retryable_error=False)
