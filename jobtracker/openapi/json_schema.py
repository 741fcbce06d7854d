"""JSON Schema (draft 2020-12, as OpenAPI 3.1 has it) of the types in :mod:`jobtracker.fields`.

The schema of a request describes what is valid: bounds, patterns, required fields. That of a
response describes what is sent: every field is required, and there are no bounds.
"""

from collections.abc import Sequence
from typing import Any

import colander

from jobtracker import fields, unicode

JsonSchema = dict[str, Any]
# ECMA-262 regular expressions of text that checked_text accepts, and of what Text treats as blank:
# without the characters beyond the Basic Multilingual Plane.
NO_NUL = r"^[^\u0000]*$"
_INVISIBLE = unicode.BLANK + unicode.IGNORABLE + unicode.BIDI_CONTROLS + unicode.LONE_MARKS
NOT_BLANK = rf"^[^\u0000]*[^\u0000{_INVISIBLE}][^\u0000]*$"
BLANK = rf"^[{_INVISIBLE}]*$"
INPUT_ONLY = ("maxLength", "pattern", "minimum", "maximum", "maxProperties", "description")


def ref(schema: fields.Schema) -> JsonSchema:
    return {"$ref": f"#/components/schemas/{schema.component}"}


def input_schema(schema: fields.Schema) -> JsonSchema:
    properties = {node.name: _of_input(node) for node in schema.children}
    required = [node.name for node in schema.children if node.required]
    return closed_object(properties, required, example=schema.example)


def output_schema(schema: fields.Schema) -> JsonSchema:
    properties = {node.name: _of_output(node) for node in schema.children}
    return closed_object(properties, list(properties), example=schema.example)


def parameter(node: Any) -> JsonSchema:
    """Return the Parameter Object of a query parameter; an empty one counts as left out."""
    schema = type_schema(node.typ)
    is_plain_text = schema["type"] == "string" and not schema.keys() & {"enum", "anyOf", "format"}
    if isinstance(node.missing, int | str):
        schema["default"] = node.missing
    if schema["type"] == "string":
        schema["pattern"] = NO_NUL
    described = {"name": node.name, "in": "query", "schema": schema}
    return described if is_plain_text else {**described, "allowEmptyValue": True}


def closed_object(
    properties: JsonSchema, required: Sequence[str] = (), **others: Any
) -> JsonSchema:
    """Return the JSON Schema of an object that has no other properties."""
    schema = _schema("object", properties=properties, additionalProperties=False, **others)
    return {**schema, "required": list(required)} if required else schema


def _of_input(node: Any) -> JsonSchema:
    schema = type_schema(node.typ)
    has_default = node.missing not in (colander.required, colander.drop)
    null_allowed = getattr(node, "nullable", False) or has_default
    if schema.get("type") == "string":
        if null_allowed:
            return _or_blank(schema, node.missing)
        if "enum" not in schema:
            pattern = NO_NUL if isinstance(node.typ, fields.RawText) else NOT_BLANK
            schema = {"pattern": pattern, **schema, "minLength": 1}
    return _or_null(schema) if null_allowed else schema


def _of_output(node: Any) -> JsonSchema:
    schema = {k: v for k, v in type_schema(node.typ).items() if k not in INPUT_ONLY}
    return _or_null(schema) if getattr(node, "nullable", False) else schema


def _or_blank(schema: JsonSchema, default: Any) -> JsonSchema:
    """Return the schema of text for which null and blank text are valid too."""
    if isinstance(default, str):
        schema["default"] = str(default)
    if "enum" in schema:
        return _or_null({**schema, "enum": [*schema["enum"], ""]})
    if "format" in schema:
        return {"anyOf": [schema, {"type": "string", "pattern": BLANK}, {"type": "null"}]}
    pattern = schema.get("pattern")
    return _or_null({**schema, "pattern": f"{BLANK}|{pattern}" if pattern else NO_NUL})


def _or_null(schema: JsonSchema) -> JsonSchema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "enum" in schema:
        schema = {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def _schema(json_type: str, **keywords: Any) -> JsonSchema:
    """Return a schema with those of the keywords that are not None."""
    return {"type": json_type} | {k: v for k, v in keywords.items() if v is not None}


def type_schema(field: fields.FieldType) -> JsonSchema:
    """Return the JSON Schema of a field type or its base class; TypeError if there is none."""
    match field:  # subclasses before their base
        case fields.Email():
            pattern = f"^{field.ADDRESS.replace('a-z', 'A-Za-z')}$"
            return _schema("string", format="email", maxLength=field.max, pattern=pattern)
        case fields.WebAddress():
            return _schema("string", format="iri", pattern="^https?://", maxLength=field.max)
        case fields.Code():
            # Blanks, and dashes between digits, are dropped.
            pattern = r"^\s*[!-~][\s!-~]*$"
            if field.digits is not None:
                pattern = rf"^[\s-]*(?:[0-9][\s-]*){{{field.digits}}}$"
            return _schema("string", maxLength=field.max, pattern=pattern)
        case fields.Base64():
            hint = "Base64 (RFC 4648), also as a data: URL."
            return _schema("string", contentEncoding="base64", description=hint)
        case fields.Text():
            regex = field.pattern and field.pattern.pattern.removeprefix("(?a:").removesuffix(")")
            anchored = f"^(?:{regex})$" if regex else None
            return _schema("string", maxLength=field.max, pattern=anchored)
        case fields.Choice():
            return _schema("string", enum=list(field.words))
        case fields.Date():
            return _schema("string", format="date")
        case fields.DateOrDatetime():
            formats = [{"format": "date"}, {"format": "date-time"}]
            hint = "A day in UTC, or a moment with its UTC offset."
            return _schema("string", anyOf=formats, description=hint)
        case fields.Timestamp():
            return _schema("string", format="date-time")
        case fields.QueryInteger(clamp=True):
            hint = f"Beyond {field.limit} it is taken for {field.limit}."
            return _schema("integer", minimum=field.min, description=hint)
        case fields.Integer():
            choices = list(field.choices) or None
            return _schema("integer", enum=choices, minimum=field.min, maximum=field.max)
        case fields.File():
            return _schema("string")
        case fields.TimeZone():
            hint = "A name of the IANA time zone database, by default UTC."
            return _schema("string", description=hint)
        case fields.Number():
            return _schema("number")
        case fields.Boolean():
            return _schema("boolean")
        case fields.FreeFormObject():
            return _schema("object")
        case fields.JsonObject():
            size = f"At most {field.max_bytes} bytes as compact JSON"
            hint = f"{size}, {field.max_depth} levels deep."
            return _schema("object", description=hint)
        case fields.Counts():
            count = _schema("integer", minimum=0)
            words = {"enum": [str(word) for word in field.words]}
            return _schema("object", propertyNames=words, additionalProperties=count)
        case fields.TextMap():
            return _schema(
                "object",
                additionalProperties={**type_schema(field.text), "pattern": NO_NUL},
                maxProperties=field.max_entries,
                propertyNames={"pattern": NO_NUL},
            )
        case fields.ChoiceMap():
            # Null and blank values are left out.
            word = _or_blank(type_schema(field.choice), None)
            return _schema(
                "object",
                additionalProperties=word,
                maxProperties=field.max_entries,
                propertyNames={"pattern": NO_NUL},
            )
        case fields.BooleanMap():
            value = _or_null(_schema("boolean")) if field.removable else _schema("boolean")
            names = {"pattern": f"^{field.key.pattern}$"}
            return _schema("object", additionalProperties=value, propertyNames=names)
        case fields.TextList():
            item = type_schema(field.item)
            if "enum" not in item:
                item["pattern"] = NO_NUL
            # No maxItems: blank and repeated items are dropped before they are counted.
            hint = f"At most {field.max_items}, blank and repeated ones not counted."
            return _schema("array", items=item, description=hint)
        case fields.Nested():
            return ref(field.schema)
        case fields.AnyOf():
            return {"anyOf": [ref(schema) for schema in field.schemas()]}
        case fields.ListOf():
            return _schema("array", items=ref(field.schema))
    raise TypeError(f"No JSON Schema is known for {type(field).__name__}")
