"""The OpenAPI 3.1 document, of the services and schemas that do the work.

https://spec.openapis.org/oas/v3.1.1.html
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from jobtracker import __version__, fields
from jobtracker.errors import CODES
from jobtracker.http import idempotency
from jobtracker.http.pagination import PageQuery
from jobtracker.http.service import ApiService, Operation
from jobtracker.openapi import json_schema
from jobtracker.permissions import Permission
from jobtracker.tree import MAX_ID

DESCRIPTION = """\
Keep track of job applications. Sign in by `POST /auth/cognito/login`, and send the access token as
`Authorization: Bearer …`.

Times are RFC 3339 in UTC. Strings are trimmed; where nothing is required, a blank one means null.
An empty parameter of a query is as good as none; one that is no list is given once. Every path can
be written with a slash at its end. Somebody else's data answers 404, as if it did not exist."""

ERROR_CODES = [*(code for code, _message in CODES.values()), "EMAIL_NOT_VERIFIED"]

ERROR = {
    "type": "object",
    "description": "`message` is for people, `error` and `details` for programs.",
    "properties": {
        "error": {"type": "string", "enum": ERROR_CODES},
        "message": {"type": "string"},
        "details": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "email": {"type": "string"},
                "violations": {"type": "array", "items": {"type": "string"}},
                "current": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "required": ["error", "message"],
    "additionalProperties": False,
    "example": {"error": "NOT_FOUND", "message": "Not found."},
}

FIELD_ERROR = {
    "type": "object",
    "properties": {
        "loc": {"type": "array", "items": {"type": "string"}},
        "msg": {"type": "string"},
        "type": {"type": "string"},
    },
    "required": ["loc", "msg", "type"],
    "additionalProperties": False,
}

VALIDATION_ERROR = {
    "type": "object",
    "description": "One entry for each field at fault. The input is never part of it.",
    "properties": {
        "error": {"type": "string", "const": "VALIDATION_ERROR"},
        "message": {"type": "string"},
        "details": {
            "type": "object",
            "properties": {
                "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}}
            },
            "required": ["errors"],
            "additionalProperties": False,
        },
    },
    "required": ["error", "message", "details"],
    "additionalProperties": False,
    "example": {
        "error": "VALIDATION_ERROR",
        "message": CODES[422][1],
        "details": {
            "errors": [
                {
                    "loc": ["body", "company_name"],
                    "msg": "A value is required.",
                    "type": "missing",
                }
            ]
        },
    },
}

IDEMPOTENCY_KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "description": (
        "Makes it safe to try again: for 24 hours the same key and body get the first answer, and "
        "nothing is done twice. Choose a new random key, a UUID for instance, for each new thing."
    ),
    "schema": {"type": "string", "pattern": idempotency.KEY, "maxLength": 255},
}

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": (
        "The `ETag` of what you know: where it has changed since, nothing is done, and the answer "
        "is 412 with the present state in `details.current`. Without it the last writer wins, "
        "field by field."
    ),
    "schema": {"type": "string"},
}

IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of the last answer: where nothing has changed since, it is 304.",
    "schema": {"type": "string"},
}

ETAG = {
    "description": "What this is known by: for If-None-Match and, where there is one, If-Match.",
    "required": True,
    "schema": {"type": "string"},
}

LINK = {
    "description": 'Where there are more: `<URL of the next page>; rel="next"` (RFC 8288).',
    "required": False,
    "schema": {"type": "string"},
}

HEADERS = {
    201: {"Location": "The URL of what was made."},
    401: {"WWW-Authenticate": "Always `Bearer`."},
    429: {"Retry-After": "Seconds after which it makes sense to try again."},
    503: {"Retry-After": "Seconds after which it makes sense to try again."},
}


def make_document(services: Iterable[ApiService]) -> dict[str, Any]:
    """The document of these services."""
    found = sorted(services, key=lambda service: service.template)
    components: dict[str, Any] = {
        "Error": ERROR,
        "FieldError": FIELD_ERROR,
        "ValidationError": VALIDATION_ERROR,
    }
    paths: dict[str, Any] = {}
    tags: set[str] = set()
    for service in found:
        operations = {
            method.lower(): _operation(service, operation)
            for method, operation in service.operations.items()
            if _is_documented(operation)
        }
        if operations:
            tags |= {tag for operation in operations.values() for tag in operation["tags"]}
            paths[service.template] = {**_path_parameters(service), **operations}
        for operation in service.operations.values():
            if (body := operation.body or operation.optional_body) is not None:
                components[body.component] = json_schema.of_input(body)
            for schema in _schemas_in(operation.returns):
                components[schema.component] = json_schema.of_output(schema)
    return {
        "openapi": "3.1.0",
        "info": {"title": "JobTracker", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted(tags)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def statuses(service: ApiService, operation: Operation) -> list[int]:
    """Every status that the operation can answer."""
    errors = set(operation.errors)
    if operation.permission is not Permission.PUBLIC:
        errors |= {401, 503}
    if operation.errors:
        errors |= {503}
    if "{" in service.template:
        errors |= {404}
    if operation.body is not None:
        errors |= {400, 413, 415, 422}
    if operation.query is not None:
        errors |= {400, 422}
    if operation.idempotent:
        errors |= {400, 409, 422}
    if operation.if_match is not None:
        errors |= {412}
    if operation.etag is not None:
        errors |= {304}
    if operation.rate_limits:
        errors |= {429, 503}
    return [operation.status, *sorted(errors)]


def _is_documented(operation: Operation) -> bool:
    """Not what serves pages and files: this document itself."""
    return operation.returns is not None or operation.status == 204


def _operation(service: ApiService, operation: Operation) -> dict[str, Any]:
    text = re.sub(r"\s+", " ", (operation.view.__doc__ or "").replace("``", "`")).strip()
    summary, _, rest = text.partition(". ")
    described: dict[str, Any] = {
        "operationId": operation.view.__name__,
        "tags": [operation.view.__module__.split(".")[1]],
        "summary": summary.rstrip(".").replace("`", ""),
        "responses": {
            str(status): _response(status, operation) for status in statuses(service, operation)
        },
        "security": [] if operation.permission is Permission.PUBLIC else [{"bearer": []}],
    }
    if rest:
        described["description"] = rest
    parameters = [
        *([IDEMPOTENCY_KEY] if operation.idempotent else ()),
        *([IF_MATCH] if operation.if_match is not None else ()),
        *([IF_NONE_MATCH] if operation.etag is not None else ()),
    ]
    if operation.query is not None:
        parameters += [json_schema.parameter(node) for node in operation.query.children]
    if parameters:
        described["parameters"] = parameters
    body = operation.body or operation.optional_body
    if body is not None:
        described["requestBody"] = {
            "required": operation.body is not None,
            "content": {
                media_type: {"schema": json_schema.ref(body)}
                for media_type in sorted(operation.body_types)
            },
        }
    return described


def _path_parameters(service: ApiService) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", service.template)
    an_id = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}
    parameters = [{"name": name, "in": "path", "required": True, "schema": an_id} for name in names]
    return {"parameters": parameters} if parameters else {}


def _response(status: int, operation: Operation) -> dict[str, Any]:
    if status == operation.status:
        response: dict[str, Any] = {"description": "Done" if status != 201 else "Made"}
        if operation.returns is not None:
            schema = json_schema.of_type(operation.returns)
            response["content"] = {"application/json": {"schema": schema}}
    elif status == 304:
        return {"description": "Nothing has changed.", "headers": {"ETag": ETAG}}
    else:
        component = "ValidationError" if status == 422 else "Error"
        schema = {"$ref": f"#/components/schemas/{component}"}
        response = {
            "description": CODES[status][1],
            "content": {"application/json": {"schema": schema}},
        }
    headers: dict[str, Any] = {
        name: {"description": text, "required": True, "schema": {"type": "string"}}
        for name, text in HEADERS.get(status, {}).items()
    }
    if status == operation.status and operation.etag is not None:
        headers["ETag"] = ETAG
        if isinstance(operation.query, PageQuery):
            headers["Link"] = LINK
    if headers:
        response["headers"] = headers
    return response


def _schemas_in(field: fields.FieldType | None) -> Iterator[fields.Schema]:
    """The schemas of an answer, those within others included."""
    if isinstance(field, fields.Nested | fields.ListOf):
        yield field.schema
        for node in field.schema.children:
            yield from _schemas_in(node.typ)
