"""Validation of a request's JSON body and query against a schema."""

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import colander
from pyramid.request import Request

from jobtracker.errors import ApiError, BadRequest, PayloadTooLarge, ValidationFailed
from jobtracker.fields import (
    InvalidValue,
    Schema,
    TextList,
    error_details,
    first_sentence,
    omitted_errors,
)

JSON_TYPES = frozenset({"application/json"})
MERGE_PATCH_TYPES = frozenset({"application/json", "application/merge-patch+json"})  # RFC 7396

# The largest note has 10,000 characters: 120,000 bytes when each is written as \uXXXX\uXXXX.
MAX_BODY_BYTES = 1024 * 1024
# Of an operation that needs no access token: the largest, an answer to a challenge, has a few KB.
MAX_PUBLIC_BODY_BYTES = 16 * 1024
# Of an operation without a body, which ignores it.
MAX_IGNORED_BODY_BYTES = 1024
# Values of a larger body: each can take thirty times its bytes in memory, once it is parsed.
MAX_VALUES, COUNTED_FROM = 10_000, 64 * 1024
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+\\?(?:"|\Z)', re.DOTALL)


def validate_body(
    schema: Schema,
    types: frozenset[str],
    request: Request,
    *,
    max_bytes: int = MAX_BODY_BYTES,
    **_kwargs: Any,
) -> None:
    """Put the validated JSON body into ``request.validated``.

    :raises ApiError: 415 for another media type than JSON; as :func:`json_object`
    :raises ValidationFailed: for invalid and unknown fields
    """
    # WebOb leaves the blanks before the semicolon of a parameter (RFC 9110, 5.6.6).
    if request.content_type.strip().lower() not in types:
        raise ApiError(status=415)
    request.validated = _deserialize(schema, json_object(request, max_bytes), "body")


def validate_optional_body(schema: Schema, request: Request) -> dict[str, Any]:
    """The validated body of an operation with an ``optional_body``; without one, the defaults."""
    if not request.content_length:
        return schema.deserialize({})
    validate_body(schema, JSON_TYPES, request)
    return request.validated


def json_object(request: Request, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """The body; BadRequest if it is not a JSON object, PayloadTooLarge if it is too large, and an
    ApiError of 415 if it is compressed (RFC 9110, 8.4).

    A byte order mark at its beginning is ignored, as RFC 8259, 8.1, allows; the encoding is UTF-8.
    """
    if (request.content_length or 0) > max_bytes:
        raise PayloadTooLarge(f"The request is too large: at most {max_bytes} bytes.")
    if request.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise ApiError("Please send the body without a Content-Encoding.", status=415)
    body: bytes = request.body
    # In UTF-16 and UTF-32 one of the first two characters, which are ASCII, has a null byte.
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]:
        raise BadRequest("The body must be UTF-8, not UTF-16 or UTF-32.")
    if len(body) > COUNTED_FROM and _has_too_many_values(body):
        raise PayloadTooLarge(f"The request is too large: at most {MAX_VALUES} values.")
    try:
        value = _JSON.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadRequest(_json_fault(body, error)) from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


def _has_too_many_values(body: bytes) -> bool:
    commas = end = 0
    for number, string in enumerate(_STRING.finditer(body)):
        commas += body.count(b",", end, string.start())
        end = string.end()
        if commas > MAX_VALUES:
            return True
        if number > 3 * MAX_VALUES:  # no JSON, which the parser finds out before what follows
            return False
    return commas + body.count(b",", end) > MAX_VALUES


def _json_fault(body: bytes, error: ValueError | RecursionError) -> str:
    """What is wrong with a body, and where; nothing of the body is part of it."""
    if not body.removeprefix(codecs.BOM_UTF8).strip():
        return "The body is empty. It must be a JSON object."
    if isinstance(error, UnicodeDecodeError):
        return f"The body is not UTF-8 at byte {error.start + 1}."
    if isinstance(error, json.JSONDecodeError):
        return f"The body is not valid JSON at line {error.lineno}, column {error.colno}."
    if isinstance(error, RecursionError):
        return "The body is not valid JSON: it is nested too deeply."
    return "The body is not valid JSON: it has a number that JSON does not have, or one too long."


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON (RFC 8259, section 6)


# Unlike orjson's, this parser accepts lone surrogates, which the fields then report by name.
_JSON = json.JSONDecoder(parse_constant=_reject_constant)


def validate_query(schema: Schema, request: Request, **_kwargs: Any) -> None:
    """Put the validated query into ``request.validated``. Empty and unknown parameters are ignored.

    :raises BadRequest: when it is not UTF-8
    :raises ValidationFailed: for invalid values, and for a repeated parameter that is not a list
    """
    if not request.environ.get("QUERY_STRING"):
        request.validated = dict(schema.defaults)
        return
    try:
        given = request.GET
    except UnicodeDecodeError:
        raise BadRequest("The query is not UTF-8.") from None
    parameters: dict[str, Any] = {}
    repeated = []
    for node in schema.children:
        values = [value for value in given.getall(node.name) if value]
        is_list = isinstance(node.typ, TextList)
        if len(values) > 1 and not is_list:
            repeated.append(InvalidValue(node, "Must be given once.", "repeated"))
        elif values:
            parameters[node.name] = values if is_list else values[0]
    request.validated = _deserialize(schema, parameters, "query", repeated)


def _deserialize(
    schema: Schema, value: Mapping[str, Any], where: str, errors: Sequence[InvalidValue] = ()
) -> Any:
    """The validated value; ValidationFailed if it is invalid, or if there are errors already."""
    try:
        validated = schema.deserialize(value)
        if not errors:
            return validated
        invalid = colander.Invalid(schema)
    except colander.Invalid as error:
        invalid = error
    invalid.children[:0] = errors
    details, first = error_details(invalid, where), first_sentence(invalid, where)
    raise ValidationFailed(details, first, omitted_errors(invalid))
