"""The declaration of the kinds of an archive: complete, and as it is documented."""

import datetime
import importlib
import pkgutil
from typing import Any

import orjson
import pytest
from sqlalchemy import CheckConstraint

import jobtracker
from jobtracker.archive import json_schema
from jobtracker.archive.kinds import (
    ACTIVITY,
    ARCHIVE_KINDS,
    DOCUMENTS,
    JOBS,
    NOT_EXPORTED,
    PREFERENCES,
    InvalidRow,
    Kind,
)
from jobtracker.db.base import Base
from jobtracker.local import CHECKOUT

SCHEMAS = CHECKOUT / "docs" / "export-schemas"
JOB: dict[str, Any] = {
    "id": 7,
    "company_name": "Acme",
    "job_title": "Engineer",
    "location": None,
    "status": "applied",
    "applied_date": datetime.date(2026, 1, 2),
    "job_url": "https://example.com/\U0001f44b",
    "tags": ["a", "é"],
    "priority": "high",
    "next_action_at": None,
    "next_action_title": "Call\u2028\n\\",
    "last_action_at": None,
    "created_at": datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC),
    "updated_at": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    "version": 3,
    "last_activity_at": datetime.datetime(1, 1, 1, tzinfo=datetime.UTC),
    "restored_at": None,
    "trashed_at": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, datetime.UTC),
    "trash_reason": "user",
}


def models() -> list[Any]:
    """The mapped classes of the application, without those of tests."""
    for module in pkgutil.walk_packages(jobtracker.__path__, "jobtracker."):
        if not module.name.startswith(("jobtracker.local", "jobtracker.__main__")):
            importlib.import_module(module.name)
    return [
        mapper.class_
        for mapper in Base.registry.mappers
        if mapper.class_.__module__.startswith("jobtracker.")
    ]


def test_each_table_is_exported_or_not_for_a_reason():
    exported = {kind.model.__tablename__ for kind in ARCHIVE_KINDS}
    assert {each.__tablename__ for each in models()} - exported == NOT_EXPORTED.keys()
    assert all(NOT_EXPORTED.values())


@pytest.mark.parametrize("kind", ARCHIVE_KINDS, ids=repr)
def test_each_column_that_is_not_exported_has_a_reason_and_exists(kind: Kind):
    assert all(kind.omitted.values())
    assert kind.omitted.keys() <= {*kind.model.__table__.c.keys()}


@pytest.mark.parametrize("kind", ARCHIVE_KINDS, ids=repr)
def test_each_column_of_a_vocabulary_has_it(kind: Kind):
    """Those of which a CHECK lists the values."""
    table = kind.model.__table__
    checked = {
        name
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
        for name in table.c.keys()  # noqa: SIM118 (no dictionary)
        if str(constraint.sqltext).startswith(f"{name} IN ('")
    }
    assert checked - kind.omitted.keys() == kind.vocabularies.keys()


def test_schemas_of_the_documentation_are_current():
    """Otherwise: python -m jobtracker.archive.json_schema docs/export-schemas"""
    documented = {file.name: orjson.loads(file.read_bytes()) for file in SCHEMAS.iterdir()}
    assert documented == json_schema.schemas()


def test_page_of_the_format_names_each_kind():
    page = (SCHEMAS.parent / "export-format.md").read_text()
    for kind in ARCHIVE_KINDS:
        assert f"`{kind.filename}`" in page
        assert f"export-schemas/{kind.name}.schema.json" in page


def test_decoded_row_equals_the_encoded_one():
    line = JOBS.encode(JOB)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert JOBS.decode(line) == JOB


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "7"}, "id"),
        ({"id": True}, "id"),
        ({"id": 2**63}, "id"),
        ({"id": None}, "id"),
        ({"id": 7.0}, "id"),
        ({"company_name": "x" * 256}, "company_name"),
        ({"company_name": "a\0"}, "company_name"),
        ({"company_name": None}, "company_name"),
        ({"status": "hired"}, "status"),
        ({"status": []}, "status"),
        ({"trash_reason": "purge"}, "trash_reason"),
        ({"applied_date": "2026-02-30"}, "applied_date"),
        ({"applied_date": "20260101"}, "applied_date"),
        ({"created_at": "2026-01-02"}, "created_at"),
        ({"created_at": "2026-01-02T03:04:05"}, "created_at"),
        ({"created_at": "0001-01-01T00:00:00+10:00"}, "created_at"),
        ({"created_at": 1}, "created_at"),
        ({"tags": "a"}, "tags"),
        ({"tags": [1]}, "tags"),
        ({"tags": ["\0"]}, "tags"),
        ({"user_id": 1}, "user_id"),
    ],
)
def test_invalid_field_is_named(changes: dict[str, Any], field: str):
    row = orjson.loads(JOBS.encode(JOB)) | changes
    with pytest.raises(InvalidRow) as caught:
        JOBS.decode(orjson.dumps(row))
    assert caught.value.field == field
    assert caught.value.message


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{", b"[]", b"7", b'{"id": NaN}', b"\xff", b'"\\ud800"']
)
def test_line_that_is_no_object_is_invalid(line: bytes):
    with pytest.raises(InvalidRow) as caught:
        JOBS.decode(line)
    assert caught.value.field == ""


def test_missing_field_is_named():
    row = orjson.loads(JOBS.encode(JOB))
    del row["version"]
    with pytest.raises(InvalidRow, match=r"^version: Is missing"):
        JOBS.decode(orjson.dumps(row))


@pytest.mark.parametrize("data", [{"a": ["x\0"]}, {"\0": 1}, {"a": {"b": [{"c": "\0"}]}}, [], None])
def test_objects_are_without_nul_at_any_depth(data: Any):
    row = {"id": 1, "application_id": 1, "type": "x", "message": "x", "data": data}
    row["created_at"] = "2026-01-02T03:04:05Z"
    with pytest.raises(InvalidRow, match=r"^data: "):
        ACTIVITY.decode(orjson.dumps(row))


def test_preferences_are_booleans():
    assert PREFERENCES.decode(b'{"ui_preferences":{"a":true}}') == {"ui_preferences": {"a": True}}
    with pytest.raises(InvalidRow):
        PREFERENCES.decode(b'{"ui_preferences":{"a":1}}')


def test_documents_name_their_file():
    assert DOCUMENTS.fields[-1].name == "file"
    assert "object_key" not in {field.name for field in DOCUMENTS.fields}
