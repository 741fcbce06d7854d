"""Conformance of responses to the OpenAPI document: status, headers, body."""

import functools
import re
from typing import Any
from urllib.parse import urlsplit

import jsonschema
from webtest import TestResponse

FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER

# Unexpected errors are not documented; some tests cause them.
UNDOCUMENTED = {500}


def assert_documented(
    document: dict[str, Any], method: str, path: str, response: TestResponse
) -> None:
    """Check a response. A path without an operation passes."""
    operation = operation_of(document, "GET" if method == "HEAD" else method, path)
    if operation is None or response.status_code in UNDOCUMENTED:
        return
    documented = operation["responses"].get(str(response.status_code))
    assert documented, f"{method} {path} answers {response.status_code}, which is not documented"
    for header, described in documented.get("headers", {}).items():
        assert header in response.headers or not described.get("required", True), header
    content = documented.get("content", {})
    assert (response.content_type in content) if content else not response.body
    if content and method != "HEAD":
        # References are to the components of the document.
        schema = {**content[response.content_type]["schema"], "components": document["components"]}
        is_json = response.content_type == "application/json"
        body = response.json if is_json else response.text
        jsonschema.Draft202012Validator(schema, format_checker=FORMATS).validate(body)


def operation_of(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    """The operation that a request is for."""
    wanted = urlsplit(path).path.removesuffix("/")
    for template, operations in document["paths"].items():
        if pattern_of(template).fullmatch(wanted):
            return operations.get(method.lower())
    return None


@functools.cache
def pattern_of(template: str) -> re.Pattern[str]:
    template = template.replace("{kind}", "[a-z_]+")
    return re.compile(re.sub(r"{\w+}", "[1-9][0-9]*", template))
