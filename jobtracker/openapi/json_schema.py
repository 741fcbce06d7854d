"""JSON Schema (draft 2020-12, as in OpenAPI 3.1) of the types in :mod:`jobtracker.fields`.

What comes in and what goes out are not the same: text that comes in is bounded and must not be
blank where a value is required; what goes out has every field, always.
"""

import functools
from typing import Any

import colander

from jobtracker import fields

JsonSchema = dict[str, Any]

# What checked_text refuses, and what Text takes for blank, in words of ECMA-262.
NO_NUL = r"^[^\u0000]*$"
NOT_BLANK = r"^[^\u0000]*[^\s\u0000-\u001f\u007f-\u009f\ufeff][^\u0000]*$"
BLANK = r"^[\s\u0001-\u001f\u007f-\u009f\ufeff]*$"


def ref(schema: fields.Schema) -> JsonSchema:
    """Where the schema of an object stands in the document."""
    return {"$ref": f"#/components/schemas/{schema.component}"}


def of_input(schema: fields.Schema) -> JsonSchema:
    """The schema of an object that comes in."""
    return _of_object(schema, [node.name for node in schema.children if node.required], _incoming)


def of_output(schema: fields.Schema) -> JsonSchema:
    """The schema of an object that goes out: no field is ever left out."""
    return _of_object(schema, [node.name for node in schema.children], _outgoing)


def parameter(node: Any) -> JsonSchema:
    """A query parameter. An empty one is as good as none."""
    schema = of_type(node.typ)
    is_plain_text = schema["type"] == "string" and not schema.keys() & {"enum", "anyOf"}
    if isinstance(node.missing, int | str):
        schema["default"] = node.missing
    if schema["type"] == "string":
        schema["pattern"] = NO_NUL
    described = {"name": node.name, "in": "query", "schema": schema}
    return described if is_plain_text else {**described, "allowEmptyValue": True}


def _of_object(schema: fields.Schema, required: list[str], of_node: Any) -> JsonSchema:
    found: JsonSchema = {
        "type": "object",
        "properties": {node.name: of_node(node) for node in schema.children},
        "additionalProperties": False,
    }
    if required:
        found["required"] = required
    if schema.example is not None:
        found["example"] = schema.example
    return found


def _incoming(node: Any) -> JsonSchema:
    schema = of_type(node.typ)
    blank_is_nothing = getattr(node, "nullable", False) or node.missing not in (
        colander.required,
        colander.drop,
    )
    if schema.get("type") == "string":
        if blank_is_nothing:
            return _or_blank(schema, node.missing)
        if "enum" not in schema:
            schema.setdefault("pattern", _plain(node.typ))
            schema["minLength"] = 1
    return _or_null(schema) if blank_is_nothing else schema


def _plain(field: fields.FieldType) -> str:
    return NO_NUL if isinstance(field, fields.RawText) else NOT_BLANK


def _or_blank(schema: JsonSchema, default: Any) -> JsonSchema:
    """The schema of text that can be left out, by a blank as well."""
    if isinstance(default, str):
        schema["default"] = str(default)
    if "enum" in schema:
        return _or_null({**schema, "enum": [*schema["enum"], ""]})
    if "format" in schema:
        return {"anyOf": [schema, {"type": "string", "pattern": BLANK}, {"type": "null"}]}
    pattern = schema.get("pattern")
    return _or_null({**schema, "pattern": f"{BLANK}|{pattern}" if pattern else NO_NUL})


def _outgoing(node: Any) -> JsonSchema:
    schema = of_type(node.typ)
    # Bounds are for what comes in; nobody is helped by them in an answer.
    for bound in ("maxLength", "pattern", "minimum", "maximum", "maxProperties", "description"):
        schema.pop(bound, None)
    return _or_null(schema) if getattr(node, "nullable", False) else schema


def _or_null(schema: JsonSchema) -> JsonSchema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return {**schema, "type": [schema["type"], "null"]}


@functools.singledispatch
def of_type(field: fields.FieldType) -> JsonSchema:
    """The schema of a type.

    :raises TypeError: for a type that is new here
    """
    raise TypeError(f"No JSON Schema is known for {type(field).__name__}")


@of_type.register
def _(field: fields.Text) -> JsonSchema:
    schema: JsonSchema = {"type": "string"}
    if field.max is not None:
        schema["maxLength"] = field.max
    if field.pattern is not None:
        schema["pattern"] = f"^(?:{field.pattern.pattern.removeprefix('(?a:').removesuffix(')')})$"
    return schema


@of_type.register
def _(field: fields.Email) -> JsonSchema:
    anywhere = field.ADDRESS.replace("a-z", "A-Za-z")
    return {"type": "string", "format": "email", "maxLength": field.max, "pattern": f"^{anywhere}$"}


@of_type.register
def _(field: fields.WebAddress) -> JsonSchema:
    schema: JsonSchema = {"type": "string", "format": "iri", "pattern": "^https?://"}
    if field.max is not None:
        schema["maxLength"] = field.max
    return schema


@of_type.register
def _(field: fields.Choice) -> JsonSchema:
    return {"type": "string", "enum": list(field.words)}


@of_type.register
def _(field: fields.Integer) -> JsonSchema:
    schema: JsonSchema = {"type": "integer"}
    if field.choices:
        schema["enum"] = list(field.choices)
    if field.min is not None:
        schema["minimum"] = field.min
    if field.max is not None:
        schema["maximum"] = field.max
    return schema


@of_type.register
def _(_field: fields.Boolean) -> JsonSchema:
    return {"type": "boolean"}


@of_type.register
def _(_field: fields.Date) -> JsonSchema:
    return {"type": "string", "format": "date"}


@of_type.register
def _(_field: fields.Timestamp) -> JsonSchema:
    return {"type": "string", "format": "date-time"}


@of_type.register
def _(field: fields.JsonObject) -> JsonSchema:
    bounds = f"At most {field.max_bytes} bytes as compact JSON, {field.max_depth} levels deep."
    return {"type": "object", "description": bounds}


@of_type.register
def _(_field: fields.DateOrDatetime) -> JsonSchema:
    return {
        "type": "string",
        "anyOf": [{"format": "date"}, {"format": "date-time"}],
        "description": "A day in UTC, or a moment with its UTC offset.",
    }


@of_type.register
def _(field: fields.QueryInteger) -> JsonSchema:
    schema: JsonSchema = {"type": "integer", "minimum": field.min}
    if field.clamp:
        return {**schema, "description": f"Beyond {field.max} it is taken for {field.max}."}
    return {**schema, "maximum": field.max}


@of_type.register
def _(_field: fields.Number) -> JsonSchema:
    return {"type": "number"}


@of_type.register
def _(_field: fields.FreeFormObject) -> JsonSchema:
    return {"type": "object"}


@of_type.register
def _(field: fields.Counts) -> JsonSchema:
    return {
        "type": "object",
        "propertyNames": {"enum": [str(word) for word in field.words]},
        "additionalProperties": {"type": "integer", "minimum": 0},
    }


@of_type.register
def _(field: fields.TextMap) -> JsonSchema:
    return {
        "type": "object",
        "additionalProperties": {**of_type(field.text), "pattern": NO_NUL},
        "maxProperties": field.max_entries,
        "propertyNames": {"pattern": NO_NUL},
    }


@of_type.register
def _(field: fields.BooleanMap) -> JsonSchema:
    boolean = {"type": "boolean"}
    return {
        "type": "object",
        "additionalProperties": _or_null(boolean) if field.removable else boolean,
        "propertyNames": {"pattern": f"^{field.key.pattern}$"},
    }


@of_type.register
def _(field: fields.TextList) -> JsonSchema:
    item = of_type(field.item)
    if "enum" not in item:
        item["pattern"] = NO_NUL
    # No maxItems: blank and repeated ones are dropped before they are counted.
    counted = f"At most {field.max_items}, blank and repeated ones not counted."
    return {"type": "array", "items": item, "description": counted}


@of_type.register
def _(field: fields.Nested) -> JsonSchema:
    return ref(field.schema)


@of_type.register
def _(field: fields.ListOf) -> JsonSchema:
    return {"type": "array", "items": ref(field.schema)}
