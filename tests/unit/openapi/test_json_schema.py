"""JSON Schema of the types: it accepts the same values as the type."""

from typing import Any

import colander
import jsonschema
import pytest
from colander import SchemaNode, drop
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.auth.schemas import ConfirmIn, LoginIn, ResetPasswordIn
from jobtracker.documents.schemas import PresignUploadIn
from jobtracker.fields import (
    Boolean,
    BooleanMap,
    Choice,
    Counts,
    Date,
    Email,
    FieldType,
    FreeFormObject,
    Integer,
    JsonObject,
    ListOf,
    Nested,
    Number,
    QueryInteger,
    RawText,
    Schema,
    Text,
    TextList,
    TextMap,
    Timestamp,
    WebAddress,
)
from jobtracker.interviews.schemas import INTERVIEW_PATCH, InterviewIn
from jobtracker.jobs.schemas import JOB_PATCH, JobIn, JobOut
from jobtracker.notes.schemas import NoteIn
from jobtracker.openapi import json_schema
from jobtracker.saved_views.schemas import SAVED_VIEW_PATCH, SavedViewIn
from jobtracker.users.models import Theme
from jobtracker.users.schemas import SETTINGS_IN, UiPreferencesIn


class Inner(Schema):
    name = SchemaNode(Text())


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (Text(max=9), {"type": "string", "maxLength": 9}),
        (Text(pattern="[0-9]{6}"), {"type": "string", "pattern": "^(?:[0-9]{6})$"}),
        (RawText(max=9), {"type": "string", "maxLength": 9}),
        (Choice(["a", "b"]), {"type": "string", "enum": ["a", "b"]}),
        (Integer(min=1, max=9), {"type": "integer", "minimum": 1, "maximum": 9}),
        (Integer(choices=(0, 10)), {"type": "integer", "enum": [0, 10]}),
        (Boolean(), {"type": "boolean"}),
        (Date(), {"type": "string", "format": "date"}),
        (Number(), {"type": "number"}),
        (FreeFormObject(), {"type": "object"}),
        (QueryInteger(1, 9), {"type": "integer", "minimum": 1, "maximum": 9}),
        (
            QueryInteger(1, 9, clamp=True),
            {"type": "integer", "minimum": 1, "description": "Beyond 9 it is taken for 9."},
        ),
        (
            Counts(tuple(Theme)),
            {
                "type": "object",
                "propertyNames": {"enum": ["dark", "light", "system"]},
                "additionalProperties": {"type": "integer", "minimum": 0},
            },
        ),
        (Timestamp(), {"type": "string", "format": "date-time"}),
        (
            TextList(Choice(["a"]), max_items=2),
            {
                "type": "array",
                "items": {"type": "string", "enum": ["a"]},
                "description": "At most 2, blank and repeated ones not counted.",
            },
        ),
        (
            BooleanMap(key="[a-z]+"),
            {
                "type": "object",
                "additionalProperties": {"type": "boolean"},
                "propertyNames": {"pattern": "^[a-z]+$"},
            },
        ),
        (
            JsonObject(max_bytes=9, max_depth=2),
            {"type": "object", "description": "At most 9 bytes as compact JSON, 2 levels deep."},
        ),
        (Nested(Inner()), {"$ref": "#/components/schemas/Inner"}),
        (ListOf(Inner()), {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}}),
    ],
)
def test_json_schema_of_each_type(field: FieldType, expected: dict[str, Any]):
    assert json_schema.type_schema(field) == expected


def test_unknown_type_raises_type_error():
    class New(FieldType):
        pass

    with pytest.raises(TypeError, match="New"):
        json_schema.type_schema(New())


class Form(Schema):
    name = SchemaNode(Text(max=5))
    nick = SchemaNode(Text(max=5), missing=None, nullable=True)
    kind = SchemaNode(Choice(["a", "b"]), missing="a")
    pace = SchemaNode(Integer(), missing=drop)
    inner = SchemaNode(Nested(Inner()), nullable=True)


def test_schema_of_a_request_body():
    schema = json_schema.input_schema(Form())
    assert schema["required"] == ["name", "inner"]
    assert schema["additionalProperties"] is False
    name, nick, kind, pace, _inner = schema["properties"].values()
    assert (name["type"], name["minLength"]) == ("string", 1)
    assert nick["type"] == ["string", "null"]
    assert kind == {"type": ["string", "null"], "enum": ["a", "b", "", None], "default": "a"}
    assert pace == {"type": "integer"}


def test_schema_of_a_response_body():
    schema = json_schema.output_schema(Form())
    assert schema["required"] == ["name", "nick", "kind", "pace", "inner"]
    assert schema["properties"] == {
        "name": {"type": "string"},
        "nick": {"type": ["string", "null"]},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "pace": {"type": "integer"},
        "inner": {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}]},
    }


SURPRISES: list[Any] = [
    *(None, "", " ", "\x1f", "\x00", "x\x00", "x" * 256, "x" * 10_001, "\u00e4@b.cd", "a@b.cd"),
    *(0, -1, 1.0, 1.5, 10**30, True, [], {}, ["a"], ["\x00"], ["x" * 65], [1]),
    *({"a": True}, {"a": None}, {"A": True}, {"a": 1}),
    *("application/pdf", "text", "resume", "saved", "a b", "http:", "https://a.b"),
]
INPUTS = [
    *(JobIn(), JOB_PATCH, NoteIn(), InterviewIn(), INTERVIEW_PATCH, PresignUploadIn()),
    *(SavedViewIn(), SAVED_VIEW_PATCH, UiPreferencesIn(), SETTINGS_IN),
    *(LoginIn(), ConfirmIn(), ResetPasswordIn()),
]
FORMATS = ("job_url", "applied_date", "scheduled_at", "next_action_at", "last_action_at")


@pytest.mark.parametrize("schema", INPUTS, ids=lambda schema: schema.component)
def test_json_schema_and_fields_accept_the_same_values(schema: Schema):
    """With any value in any field, a body is valid for both or for neither."""
    validator = jsonschema.Draft202012Validator(json_schema.input_schema(schema))

    @given(st.sampled_from([node.name for node in schema.children]), st.sampled_from(SURPRISES))
    def check(name: str, value: Any) -> None:
        body = {**schema.example, name: value}
        try:
            schema.deserialize(body)
            taken = True
        except colander.Invalid:
            taken = False
        if isinstance(value, str) and name in FORMATS and value.strip():
            return  # formats, which a validator only notes
        if value in (" ", "\x1f") and name in ("status", "priority"):
            return  # blank as "" is, which is the one blank that the document names
        assert validator.is_valid(body) == taken, (name, value)

    check()


def test_formats_and_example_are_in_the_schema():
    assert json_schema.type_schema(Email())["format"] == "email"
    assert json_schema.type_schema(WebAddress(max=9))["format"] == "iri"
    assert json_schema.type_schema(TextMap(2, 9))["maxProperties"] == 2
    assert json_schema.output_schema(JobOut())["example"] == JobOut.example
