"""The error classes, and the exception views that turn every exception into one JSON shape.

``{"error": CODE, "message": text for the user, "details": object}``; empty details are left out.
The response never contains the input.
"""

import logging
import math
import os
import traceback
from collections.abc import Iterable
from typing import Any

import psycopg
from pyramid.exceptions import URLDecodeError
from pyramid.httpexceptions import HTTPException
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy import exc as sqlalchemy_exc

from jobtracker.logs.outages import log_outage
from jobtracker.renderer import json_dumps

log = logging.getLogger(__name__)

#: What a statement raises, whether the session or a connection of psycopg's executes it.
DATABASE_ERRORS = (psycopg.Error, sqlalchemy_exc.SQLAlchemyError)

#: status -> (code, default message)
CODES: dict[int, tuple[str, str]] = {
    400: ("BAD_REQUEST", "The request could not be understood."),
    401: ("UNAUTHORIZED", "Please sign in."),
    403: ("FORBIDDEN", "You may not do this."),
    404: ("NOT_FOUND", "There is no such page."),
    405: ("METHOD_NOT_ALLOWED", "This cannot be done here."),
    406: ("NOT_ACCEPTABLE", "This is available as JSON only (application/json)."),
    409: ("CONFLICT", "This conflicts with the present state."),
    412: (
        "PRECONDITION_FAILED",
        "This was changed in the meantime. Please look at its present state and try again.",
    ),
    413: ("PAYLOAD_TOO_LARGE", "The request is too large."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "Please send JSON, with Content-Type: application/json."),
    422: ("VALIDATION_ERROR", "Please check what you entered."),
    429: ("RATE_LIMITED", "Too many requests. Please wait a moment."),
    500: ("INTERNAL_ERROR", "Something went wrong on our side."),
    503: ("SERVICE_UNAVAILABLE", "The service is not available right now. Please try again."),
}


class ApiError(Exception):
    """An error with its response.

    :param message: text for the user; the default of the status when left out
    :param status: the HTTP status, where it has no class of its own
    :param details: machine-readable facts
    :param code: another code than the status's
    :param retry_after: seconds of Retry-After, for 429 and 503 by default 5
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
        default_code, default_message = CODES[self.status]
        self.message = message or default_message
        super().__init__(self.message)
        self.details = details
        self.code = code or default_code
        self.headers: dict[str, str] = {}
        if self.status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"
        if self.status in (429, 503) or retry_after:
            self.headers["Retry-After"] = str(retry_after or 5)


class BadRequest(ApiError):
    status = 400


class Unauthorized(ApiError):
    status = 401


class Forbidden(ApiError):
    status = 403


class NotFound(ApiError):
    """Something does not exist, or is another user's.

    :param kind: what it is; that of the request's context when left out
    """

    status = 404

    def __init__(self, kind: str | None = None) -> None:
        super().__init__(kind and f"There is no such {kind}.")
        self.kind = kind


class Conflict(ApiError):
    status = 409


class PayloadTooLarge(ApiError):
    status = 413


class ValidationFailed(ApiError):
    """Invalid fields, each as ``{"loc", "msg", "type"}``.

    :param first: the error of the first one, as a sentence that names the field
    :param omitted: how many more fields are invalid than there are errors
    """

    status = 422

    def __init__(
        self, errors: list[dict[str, Any]], first: str | None = None, omitted: int = 0
    ) -> None:
        message = first and first + _more_fields(len(errors) - 1 + omitted)
        super().__init__(message, details={"errors": errors})

    @classmethod
    def for_field(cls, where: str, name: str, message: str, kind: str) -> "ValidationFailed":
        """The error of one field."""
        first = field_sentence(f"The {name.replace('_', ' ')}", message)
        return cls([{"loc": [where, name], "msg": message, "type": kind}], first)


def field_sentence(subject: str, message: str) -> str:
    """A sentence of a message that begins with the verb, "Must be true or false."; another message
    is a sentence already. Enumerated words are without underscores: "recruiter screen"."""
    verb, _, rest = message.partition(" ")
    if verb not in _VERBS:
        return message
    return f"{subject} {verb.lower()} {rest.replace('_', ' ')}"


_VERBS = ("Must", "Can", "Cannot", "Is", "Are", "Was", "Were", "Has", "Have")


def enumeration(words: Iterable[Any], last: str) -> str:
    """The words as a sentence has them: "a, b and c", ``last`` being "and"."""
    return f" {last} ".join(", ".join(map(str, words)).rsplit(", ", 1))


def _more_fields(number: int) -> str:
    if number == 1:
        return " One more field needs attention."
    return f" {number} more fields need attention." if number else ""


class RateLimited(ApiError):
    """By default, the message says how long to wait, if that is minutes.

    :param limit: the name of the limit, for the log alone: of a setting without its
        prefix ``rate_limits.``, or another of docs/logs.md
    """

    status = 429

    def __init__(self, message: str | None = None, *, limit: str, **options: Any) -> None:
        minutes = math.ceil((options.get("retry_after") or 0) / 60)
        if message is None and minutes > 1:
            wait = f"{minutes} minutes" if minutes < 120 else f"{math.ceil(minutes / 60)} hours"
            message = f"Too many requests. Please try again in {wait}."
        super().__init__(message, **options)
        self.limit = limit


class Unavailable(ApiError):
    """A dependency (database, Cognito, S3, Turnstile) failed."""

    status = 503


class VersionConflict(Exception):
    """If-Match names another version than that of ``current``, the current state."""

    def __init__(self, current: Any) -> None:
        super().__init__()
        self.current = current


def error_response(error: ApiError) -> Response:
    body: dict[str, Any] = {"error": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    # Not request.response, on which the view may have set headers.
    response = Response(status=error.status, content_type="application/json", charset="utf-8")
    response.body = json_dumps(body)
    response.headers.update(error.headers)
    return response


def http_exception(error: HTTPException, request: Request) -> Response:
    """Errors of Pyramid and Cornice: unknown route, wrong method."""
    default = 400 if error.status_code < 500 else 500
    status = error.status_code if error.status_code in CODES else default
    if status == 404:
        context = getattr(request, "context", None)
        return error_response(NotFound(getattr(context, "kind_of_child", None)))
    if not error.allow:
        return error_response(ApiError(status=status))
    methods = enumeration(error.allow, "and")
    response = error_response(ApiError(f"Only {methods} can be used here.", status=status))
    response.allow = error.allow
    return response


def rate_limited(error: RateLimited, request: Request) -> Response:
    log_rate_limited(error)
    return error_response(error)


def log_rate_limited(error: RateLimited) -> None:
    """Log which limit a response of status 429 is for."""
    log.info("Rate limit %s: exceeded", error.limit)


def not_found(error: NotFound, request: Request) -> Response:
    """What a request is about was deleted concurrently, unless the error says what is missing."""
    kind = error.kind or getattr(getattr(request, "context", None), "kind", None)
    return error_response(NotFound(kind))


def forbidden(request: Request) -> Response:
    """The policy denied access: 401 without an authenticated user, 403 with one."""
    return error_response(Forbidden() if request.authenticated_userid else Unauthorized())


def database_unavailable(error: Exception, request: Request) -> Response:
    log_outage(log, "database", "Database: %s", _summary_for_log(error))
    return error_response(Unavailable())


def unexpected(error: Exception, request: Request) -> Response:
    """A bug: only the log has the details."""
    if isinstance(getattr(error, "orig", None), psycopg.errors.ReadOnlySqlTransaction):
        return database_unavailable(error, request)
    log.error("Unexpected %s", _format_for_log(error))
    return error_response(ApiError())


def _format_for_log(error: Exception) -> str:
    """Type, message and traceback, without the values of rows."""
    return _description(error) + "".join(traceback.format_tb(error.__traceback__))


def _summary_for_log(error: Exception) -> str:
    """Type, message and the place of this package, in one line, without the values of rows."""
    places = []
    for frame in traceback.extract_tb(error.__traceback__):
        file = frame.filename.removeprefix(_PACKAGE)
        if file != frame.filename and not file.startswith(_WRAPPERS):
            places.append(f" ({file}:{frame.lineno})")
    return _description(error).partition("\n")[0].strip() + "".join(places[-1:])


_PACKAGE = f"{os.path.dirname(__file__)}/"
# What executes the statements of others.
_WRAPPERS = ("db/", "metrics/", "tracing/")


def _description(error: Exception) -> str:
    cause = getattr(error, "orig", error)
    # The server's message can contain a row; an error without SQLSTATE is the connection's.
    if isinstance(cause, psycopg.Error) and cause.sqlstate is not None:
        constraint = cause.diag.constraint_name or ""
        return f"{type(cause).__name__} {cause.sqlstate} {constraint}\n"
    return "".join(traceback.format_exception_only(error))


def includeme(config: Any) -> None:
    # retryable_error is a predicate of pyramid_retry: without a view, the request is tried again.
    config.add_exception_view(lambda error, _: error_response(error), context=ApiError)
    config.add_exception_view(rate_limited, context=RateLimited)
    config.add_exception_view(not_found, context=NotFound)
    config.add_exception_view(http_exception, context=HTTPException)
    config.add_notfound_view(http_exception)
    config.add_forbidden_view(forbidden)
    # A path that is not UTF-8.
    config.add_exception_view(lambda _: error_response(BadRequest()), context=URLDecodeError)
    for unavailable in (
        sqlalchemy_exc.OperationalError,
        sqlalchemy_exc.InterfaceError,
        sqlalchemy_exc.TimeoutError,
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.ReadOnlySqlTransaction,
    ):
        config.add_exception_view(database_unavailable, context=unavailable, retryable_error=False)
    config.add_exception_view(unexpected, context=Exception, retryable_error=False)
