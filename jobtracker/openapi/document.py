"""The OpenAPI 3.1 document of all services, generated from their operations and schemas.

https://spec.openapis.org/oas/v3.1.1.html
"""

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from jobtracker import __version__, fields
from jobtracker.errors import CODES
from jobtracker.http import idempotency
from jobtracker.http.pagination import PageQuery
from jobtracker.http.service import ApiService, Operation
from jobtracker.openapi import json_schema
from jobtracker.openapi.json_schema import closed_object
from jobtracker.permissions import Permission
from jobtracker.quotas import QUOTAS
from jobtracker.tree import MAX_ID

DESCRIPTION = """\
Keep track of job applications. Sign in by `POST /auth/cognito/login`, and send the access token as
`Authorization: Bearer …`.

Times are RFC 3339 in UTC. Strings are trimmed and normalized (NFC), passwords and tokens excepted;
where nothing is required, a blank one means null. A string of invisible characters alone is blank.
Bidi controls are removed, except from notes. Tags are lowercase; those that differ only in case,
compatibility variants, invisible characters or kinds of white space are one.
An empty parameter of a query is as good as none; one that is no list is given once. Every path can
be written with a slash at its end. Another user's data answers 404, as if it did not exist."""

# The groups of endpoints, in the order of the document; features that are not here follow them.
TAGS = (
    *("health", "auth", "users", "jobs", "notes", "documents", "interviews", "activity"),
    *("document_versions", "history", "details", "board", "search", "stats", "saved_views"),
    *("trash", "tasks", "usage", "retention", "mfa"),
)
STRING = {"type": "string"}
STRINGS = {"type": "array", "items": STRING}
ERROR_CODES = [*(code for code, _ in CODES.values()), "EMAIL_NOT_VERIFIED"]
DETAILS = {
    "code": STRING,
    "email": STRING,
    "violations": STRINGS,
    "current": {"type": "object"},
    "quota": {**STRING, "enum": list(QUOTAS)},
    "limit": {"type": "integer"},
    "missing": {"type": "object", "additionalProperties": STRING},
}
ERROR = closed_object(
    {
        "error": {**STRING, "enum": ERROR_CODES},
        "message": STRING,
        "details": closed_object(DETAILS),
    },
    required=["error", "message"],
    description="`message` is for people, `error` and `details` for programs.",
    example={"error": "NOT_FOUND", "message": "There is no such job."},
)
FIELD_ERROR = closed_object(
    {"loc": STRINGS, "msg": STRING, "type": STRING}, required=["loc", "msg", "type"]
)
FIELD_ERRORS = {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}}
MISSING = {"loc": ["body", "company_name"], "msg": "A value is required.", "type": "missing"}
CODE, _ = CODES[422]
VALIDATION_ERROR = closed_object(
    {
        "error": {**STRING, "const": CODE},
        "message": STRING,
        "details": closed_object({"errors": FIELD_ERRORS}, required=["errors"]),
    },
    required=["error", "message", "details"],
    description="One entry for each field at fault. `message` names the first of them and how many "
    "more there are. The input is never part of it.",
    example={
        "error": CODE,
        "message": "The company name is required.",
        "details": {"errors": [MISSING]},
    },
)
ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}
BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def _header_parameter(name: str, description: str, **keywords: Any) -> dict[str, Any]:
    schema = {**STRING, **keywords}
    return {"name": name, "in": "header", "description": description, "schema": schema}


IDEMPOTENCY_KEY = _header_parameter(
    idempotency.HEADER,
    "Makes it safe to try again: for 24 hours the same key and body get the first answer, and "
    "nothing is done twice. Choose a new random key, a UUID for instance, for each new thing.",
    pattern=idempotency.KEY,
    maxLength=255,
)
IF_MATCH = _header_parameter(
    "If-Match",
    "The `ETag` of what you know: where it has changed since, nothing is done, and the answer "
    "is 412 with the present state in `details.current`. Without it the last writer wins, "
    "field by field.",
)
IF_NONE_MATCH = _header_parameter(
    "If-None-Match", "The `ETag` of the last answer: where nothing has changed since, it is 304."
)


def _header(description: str, required: bool = True) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": STRING}


ETAG = _header("What this is known by: for If-None-Match and, where there is one, If-Match.")
LINK = _header(
    'Where there are more: `<URL of the next page>; rel="next"` (RFC 8288).', required=False
)
RETRY_AFTER = {"Retry-After": _header("Seconds after which it makes sense to try again.")}
# The descriptions of responses by status; of others, the default message.
DESCRIPTIONS = {404: "It does not exist, or is another user's. `message` says what."}
# The headers of the responses by status.
HEADERS = {
    201: {"Location": _header("The URL of what was made.")},
    202: {"Location": _header("The URL of the task.")},
    401: {"WWW-Authenticate": _header("Always `Bearer`.")},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}


def make_document(services: Iterable[ApiService]) -> dict[str, Any]:
    components: dict[str, Any] = {
        "Error": ERROR,
        "FieldError": FIELD_ERROR,
        "ValidationError": VALIDATION_ERROR,
    }
    paths: dict[str, Any] = {}
    tags: dict[str, str] = {}
    for service in sorted(services, key=_position):
        operations = {}
        for method, operation in service.operations.items():
            if operation.returns is None and operation.status != 204:
                continue  # /openapi.json itself
            operations[method.lower()] = described = _operation(service, operation)
            package = operation.view.__module__.removesuffix(".views")
            tags[described["tags"][0]] = _sentence(sys.modules[package])
            if (body := operation.body or operation.optional_body) is not None:
                components[body.component] = json_schema.input_schema(body)
            for schema in _schemas_in(operation.returns):
                components[schema.component] = json_schema.output_schema(schema)
        if operations:
            paths[service.template] = {**_path_parameters(service), **operations}
    return {
        "openapi": "3.1.0",
        "info": {"title": "JobTracker", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag, "description": text} for tag, text in tags.items()],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"bearer": BEARER},
        },
    }


def _position(service: ApiService) -> tuple[int, str]:
    """The order of the services: by their tags; within one tag, as they are declared."""
    (tag, *_others) = {_tag(operation) for operation in service.operations.values()}
    return (TAGS.index(tag), "") if tag in TAGS else (len(TAGS), tag)


def _tag(operation: Operation) -> str:
    """The name of the operation's feature."""
    return operation.view.__module__.removesuffix(".views").rpartition(".")[2]


def _sentence(documented: Any) -> str:
    """The first sentence of a docstring, in Markdown."""
    text = re.sub(r"\s+", " ", (documented.__doc__ or "").replace("``", "`")).strip()
    return f"{text.partition('. ')[0].rstrip('.')}."


def _statuses(service: ApiService, operation: Operation) -> list[int]:
    """Return all statuses of an operation, that of success first."""
    errors = set(operation.errors)
    for condition, implied in (
        (operation.permission is not Permission.PUBLIC, {401, 429, 503}),
        (operation.errors, {503}),
        ("{" in service.template, {404}),
        (operation.body, {400, 413, 415, 422}),
        (operation.optional_body, {413}),
        (operation.query, {400, 422}),
        (operation.idempotent, {400, 409, 422}),
        (operation.if_match, {412}),
        (operation.etag, {304}),
        (operation.rate_limits, {429, 503}),
    ):
        if condition:
            errors |= implied
    return [operation.status, *sorted(errors)]


def _operation(service: ApiService, operation: Operation) -> dict[str, Any]:
    text = re.sub(r"\s+", " ", (operation.view.__doc__ or "").replace("``", "`")).strip()
    summary, _, rest = text.partition(". ")
    described: dict[str, Any] = {
        "operationId": operation.view.__name__,
        "tags": [_tag(operation)],
        "summary": summary.rstrip(".").replace("`", ""),
        "responses": {str(n): _response(n, operation) for n in _statuses(service, operation)},
        "security": [] if operation.permission is Permission.PUBLIC else [{"bearer": []}],
    }
    if rest:
        described["description"] = rest
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if (body := operation.body or operation.optional_body) is not None:
        content = {"schema": json_schema.ref(body)}
        described["requestBody"] = {
            "required": operation.body is not None,
            "content": dict.fromkeys(sorted(operation.body_types), content),
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    headers = (
        (operation.idempotent, IDEMPOTENCY_KEY),
        (operation.if_match, IF_MATCH),
        (operation.etag, IF_NONE_MATCH),
    )
    found = [header for condition, header in headers if condition]
    if operation.query is not None:
        found += [json_schema.parameter(node) for node in operation.query.children]
    return found


def _path_parameters(service: ApiService) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {**STRING, "enum": list(service.names[name])}
            if name in service.names
            else ID,
        }
        for name in re.findall(r"{(\w+)}", service.template)
    ]
    return {"parameters": parameters} if parameters else {}


def _response(status: int, operation: Operation) -> dict[str, Any]:
    if status == 304:
        return {"description": "Nothing has changed.", "headers": {"ETag": ETAG}}
    headers = dict(HEADERS.get(status, {}))
    media_type = "application/json"
    if status == operation.status:
        if not operation.has_location:
            headers.pop("Location", None)
        description = {201: "Made", 202: "Begun"}.get(status, "Done")
        schema = None
        if operation.returns is not None:
            schema = json_schema.type_schema(operation.returns)
            media_type = operation.returns.media_type
        if operation.etag is not None:
            headers["ETag"] = ETAG
            if isinstance(operation.query, PageQuery):
                headers["Link"] = LINK
    else:
        description = DESCRIPTIONS.get(status) or CODES[status][1]
        component = "ValidationError" if status == 422 else "Error"
        schema = {"$ref": f"#/components/schemas/{component}"}
    response: dict[str, Any] = {"description": description}
    if schema is not None:
        response["content"] = {media_type: {"schema": schema}}
    if headers:
        response["headers"] = headers
    return response


def _schemas_in(field: fields.FieldType | None) -> Iterator[fields.Schema]:
    if isinstance(field, fields.Nested | fields.ListOf):
        yield field.schema
        for node in field.schema.children:
            yield from _schemas_in(node.typ)
