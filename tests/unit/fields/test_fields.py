"""Field types: any JSON value is accepted or refused with a message."""

import datetime
import json
from typing import Any

import colander
import pytest
from colander import SchemaNode, drop
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.documents.storage import attachment
from jobtracker.fields import (
    Boolean,
    BooleanMap,
    Choice,
    Date,
    DateOrDatetime,
    Email,
    FieldType,
    Integer,
    JsonObject,
    ListOf,
    Lowercase,
    Nested,
    Prose,
    QueryInteger,
    RawText,
    Schema,
    Text,
    TextList,
    TextMap,
    Timestamp,
    WebAddress,
    error_details,
    first_sentence,
    merge_patch,
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["2026-02-28", "2026-02-28T12:00:00Z", "a@b.cd", "https://a.b", "word", " "]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec=None)), inner)
    ),
    max_leaves=10,
)

TYPES: list[tuple[FieldType, type]] = [
    (Text(max=9), str),
    (Lowercase(max=9), str),
    (Prose(max=9), str),
    (RawText(max=9), str),
    (Email(), str),
    (WebAddress(max=30), str),
    (Choice(["word"]), str),
    (Integer(min=0, max=9), int),
    (Boolean(), bool),
    (Date(), datetime.date),
    (Timestamp(), datetime.datetime),
    (BooleanMap(key="[a-z]+", removable=True), dict),
    (JsonObject(max_bytes=99, max_depth=3), dict),
    (DateOrDatetime(), datetime.datetime),
    (QueryInteger(1, 9, clamp=True), int),
    (TextMap(max_entries=2, max_text=9), dict),
    (TextList(Text(max=9), max_items=2), list),
]


@given(json_values)
def test_each_type_accepts_or_refuses_any_json_value_with_a_message(value: Any):
    for field, kind in TYPES:
        try:
            taken = SchemaNode(field, name="field").deserialize(value)
        except colander.Invalid as invalid:
            (error,) = error_details(invalid, "body")
            assert error["msg"], field
            json.dumps(error).encode("ascii")
            sentence = first_sentence(invalid, "body")
            assert sentence.startswith(("The body ", "The entry ", "Entry ")), field
            assert sentence.endswith("."), field
        else:
            assert type(taken) is kind, field
            json.dumps(taken, default=str, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-30T13:00:00Z", "2026-11-30T13:00:00"),
        (" 2026-11-30t13:00:00z\n", "2026-11-30T13:00:00"),
        ("2026-11-30T13:00:00+01:00", "2026-11-30T12:00:00"),
        ("2026-11-30T23:59:59.5-23:59", "2026-12-01T23:58:59.500000"),
        ("2026-11-30T13:00:00.123456789Z", "2026-11-30T13:00:00.123456"),
        ("2026-11-30T13:00:00-00:00", "2026-11-30T13:00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
    ],
)
def test_timestamp_is_converted_to_utc(text: str, utc: str):
    taken = SchemaNode(Timestamp(), name="at").deserialize(text)
    assert taken == datetime.datetime.fromisoformat(utc).replace(tzinfo=datetime.UTC)
    assert taken.tzinfo is datetime.UTC


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-30T13:00:00", "2026-11-30T13:00Z", "2026-11-30", "2026-11-30 13:00:00Z"),
        *("2026-11-30T13:00:00+0100", "2026-11-30T13:00:00+01", "20261130T130000Z", "now"),
        *("2026-11-31T13:00:00Z", "2026-11-30T24:00:00Z", "2026-11-30T13:60:00Z"),
        *("2026-12-31T23:59:60Z", "2026-11-30T13:00:00+24:00", "2026-11-30T13:00:00,5Z"),
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
        *("12026-11-30T13:00:00Z", "\u0662026-11-30T13:00:00Z", "2026-11-30T13:00:00.Z"),
    ],
)
def test_timestamp_without_offset_or_out_of_range_is_invalid(text: str):
    with pytest.raises(colander.Invalid) as refused:
        SchemaNode(Timestamp(), name="at").deserialize(text)
    assert error_details(refused.value, "body")[0]["type"] == "timestamp_format"


class Everything(Schema):
    name = SchemaNode(Text(max=5))
    nick = SchemaNode(Text(max=5), missing=None, nullable=True)
    kind = SchemaNode(Choice(["a", "b"]), missing="a")


def wrong(schema: Schema, value: Any) -> list[dict[str, Any]]:
    with pytest.raises(colander.Invalid) as refused:
        schema.deserialize(value)
    return error_details(refused.value, "body")


class TestObject:
    def test_missing_and_blank_fields_become_defaults(self):
        schema = Everything()
        expected = {"name": "x", "nick": None, "kind": "a"}
        assert schema.deserialize({"name": "x"}) == expected
        assert schema.deserialize({"name": " x ", "nick": "", "kind": None}) == expected

    def test_each_invalid_field_has_an_error(self):
        errors = wrong(Everything(), {"name": "123456", "kind": "c", "x": 1})
        assert [(error["loc"], error["type"]) for error in errors] == [
            (["body", "name"], "string_too_long"),
            (["body", "kind"], "enum"),
            (["body", "x"], "extra_forbidden"),
        ]

    def test_missing_field_is_an_error(self):
        (error,) = wrong(Everything(), {})
        assert error == {"loc": ["body", "name"], "msg": "A value is required.", "type": "missing"}

    def test_merge_patch_has_no_defaults(self):
        patch = merge_patch(Everything(), "Patch")
        assert patch.deserialize({}) == {}
        assert patch.deserialize({"nick": None}) == {"nick": None}
        assert {error["loc"][1] for error in wrong(patch, {"name": None, "kind": ""})} == {
            *("name", "kind")
        }
        assert Everything().deserialize({"name": "x"})["kind"] == "a"  # the schema is its own

    def test_dump_contains_only_the_fields_of_the_schema(self):
        class Out(Schema):
            id = SchemaNode(Integer())
            at = SchemaNode(Timestamp())
            inner = SchemaNode(Nested(Everything()))
            nothing = SchemaNode(Nested(Everything()))
            many = SchemaNode(ListOf(Everything()))

        inner = {"name": "x", "nick": None, "kind": "a"}
        source = {"id": 1, "at": 2, "inner": {**inner, "secret": 3}, "nothing": None}
        source |= {"many": [{**inner, "secret": 3}], "secret": 3}
        assert Out().dump(source) == {
            "id": 1,
            "at": 2,
            "inner": inner,
            "nothing": None,
            "many": [inner],
        }


class TestLongInput:
    """It is refused before all of it is parsed."""

    def test_list_has_a_maximum_of_blank_items_too(self):
        class Some(Schema):
            words = SchemaNode(TextList(Text(max=9), max_items=2))

        assert Some().deserialize({"words": [""] * TextList.MAX_GIVEN}) == {"words": []}
        assert wrong(Some(), {"words": [""] * (TextList.MAX_GIVEN + 1)})[0]["type"] == "too_long"
        assert wrong(Some(), {"words": [1] * (TextList.MAX_GIVEN + 1)})[0]["type"] == "too_long"

    def test_json_object_with_more_values_than_bytes_is_too_long(self):
        class Some(Schema):
            data = SchemaNode(JsonObject(max_bytes=99, max_depth=3))

        full = {"a": [0] * 46}
        assert len(json.dumps(full, separators=(",", ":"))) == 99
        assert Some().deserialize({"data": full}) == {"data": full}
        invalid = [2**70, *[0] * 99]
        for data in ({"a": invalid}, {"a": [invalid, *[[0] * 30] * 4]}):
            assert wrong(Some(), {"data": data})[0]["type"] == "too_long"
        assert wrong(Some(), {"data": {"a": [2**70]}})[0]["type"] == "number_range"
        assert wrong(Some(), {"data": {"a": [[[0]]]}})[0]["type"] == "too_deep"


class TestPatchOfOptionalFields:
    def test_optional_field_that_is_not_nullable_refuses_null(self):
        class Some(Schema):
            pace = SchemaNode(Integer(), missing=drop)

        assert Some().deserialize({}) == {}
        assert wrong(Some(), {"pace": None})[0]["type"] == "missing"


@given(st.text(st.characters(codec="utf-8")))
def test_text_that_was_taken_is_taken_as_it_is(text: str):
    """Front ends send back what they were given."""
    for field in (Text(max=60), Prose(max=60), Lowercase(max=60), WebAddress(max=60)):
        node = SchemaNode(field, name="field", missing=None)
        for given_text in (text, f"https://{text}.example/"):
            try:
                taken = node.deserialize(given_text)
            except colander.Invalid:
                continue
            assert node.deserialize(taken) == taken


def test_maximum_length_is_that_of_normalized_text():
    for text in ("\u00fc" * 9, "u\u0308" * 9):
        assert SchemaNode(Text(max=9), name="field").deserialize(text) == "\u00fc" * 9
    with pytest.raises(colander.Invalid):  # two characters in any normal form
        SchemaNode(Text(max=9), name="field").deserialize("\u0958" * 5)


@pytest.mark.parametrize(
    "text", ["Ada@Example.com\u200b", "\u202aada@example.com\u202c", "\ufeffada@example.com"]
)
def test_address_is_taken_without_invisible_characters(text: str):
    assert SchemaNode(Email(), name="email").deserialize(text) == "ada@example.com"


@pytest.mark.parametrize(
    "text", ["ada@example\u212a.com", "\u00e4da@example.com", "ada@ex\u0430.com"]
)
def test_address_with_another_letter_is_invalid(text: str):
    with pytest.raises(colander.Invalid):
        SchemaNode(Email(), name="email").deserialize(text)


def test_secrets_are_taken_as_they_are():
    secret = " Zu\u0308rich\u200b\u202e "
    assert SchemaNode(RawText(max=99), name="password").deserialize(secret) == secret


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=255))
def test_attachment_of_any_filename_is_one_ascii_header_line(filename: str):
    header = attachment(filename)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
