"""The JSON of imports of CSV files."""

from typing import Any

from colander import SchemaNode

from jobtracker import fields
from jobtracker.csv_imports import dates, headers, tables
from jobtracker.fields import InvalidValue
from jobtracker.imports.models import MAX_FILENAME, OnDuplicate
from jobtracker.jobs.models import Status
from jobtracker.jobs.schemas import JOB, JobIn

#: Of the JSON of a file of the maximum size: those of its characters are escaped that usually are.
MAX_BODY_BYTES = 4 * tables.MAX_BYTES
_MAX_ENTRIES = 1000
_MAX_FORMAT = 30


class FileText(fields.RawText):
    """The text of a file; what of it no table can have is an error of the file."""

    def parse(self, node: Any, value: Any) -> str | None:
        if not isinstance(value, str):
            raise InvalidValue(node, "Must be text.", "string_type")
        return value


class DateFormat(fields.Text):
    """The order of day, month and year: ``DD/MM/YYYY``, with any separators."""

    def parse(self, node: Any, value: Any) -> str | None:
        text = super().parse(node, value)
        order = text and dates.order_of(text)
        if text and order is None:
            hint = "Must be a format like DD/MM/YYYY, MM/DD/YYYY or YYYY-MM-DD."
            raise InvalidValue(node, hint, "date_format")
        return order or None


class CsvIn(fields.Schema):
    example: Any = {
        "text": "Company,Position,Status,Applied on\nAcme,Engineer,phone screen,2026-11-23\n",
        "statuses": {"Waiting": "applied"},
        "tz": "Europe/Vienna",
    }

    text = SchemaNode(FileText(), title="text of the file", missing=None, nullable=True)
    base64 = SchemaNode(fields.Base64(), title="file", missing=None, nullable=True)
    mapping = SchemaNode(
        fields.ChoiceMap(headers.FIELDS, max_entries=_MAX_ENTRIES, key_max=_MAX_ENTRIES),
        missing=None,
        nullable=True,
    )
    statuses = SchemaNode(
        fields.ChoiceMap(Status, max_entries=_MAX_ENTRIES, key_max=_MAX_ENTRIES),
        missing=None,
        nullable=True,
    )
    date_format = SchemaNode(
        DateFormat(max=_MAX_FORMAT), title="date format", missing=None, nullable=True
    )
    tz = SchemaNode(fields.TimeZone(), title="time zone", missing=fields.TimeZone.UTC)


class CsvImportIn(CsvIn):
    example = {**CsvIn.example, "on_duplicate": "skip"}

    on_duplicate = SchemaNode(
        fields.Choice(OnDuplicate), title="choice for duplicates", missing=OnDuplicate.SKIP
    )
    filename = SchemaNode(fields.Text(max=MAX_FILENAME), title="file name", missing="import.csv")


class RowErrorOut(fields.Schema):
    example = {"row": 3, "loc": ["row", "applied_date"], "msg": "Must be a date like 31/01/2026."}

    row = SchemaNode(fields.Integer(), nullable=True)
    loc = SchemaNode(fields.TextList(fields.Text(), max_items=2))
    msg = SchemaNode(fields.Text())


class DuplicateOut(fields.Schema):
    example = {"row": 2, "job_id": 7, "of_row": None}

    row = SchemaNode(fields.Integer())
    job_id = SchemaNode(fields.Integer(), nullable=True)
    of_row = SchemaNode(fields.Integer(), nullable=True)


class SampleOut(JobIn):
    example = {"row": 2, **JOB, "notes": "They called back."}

    row = SchemaNode(fields.Integer())
    job_url = SchemaNode(fields.Text(), nullable=True)
    notes = SchemaNode(fields.Text(), nullable=True)


def _texts() -> fields.TextList:
    return fields.TextList(fields.Text(), max_items=_MAX_ENTRIES)


class CsvCheckOut(fields.Schema):
    example = {
        "delimiter": ",",
        "encoding": "utf-8",
        "rows": 1,
        "columns": ["Company", "Position", "Status", "Applied on"],
        "mapping": {
            "Company": "company_name",
            "Position": "job_title",
            "Status": "status",
            "Applied on": "applied_date",
        },
        "date_formats": ["DD/MM/YYYY", "MM/DD/YYYY"],
        "unknown_statuses": ["Waiting"],
        "errors": [RowErrorOut.example],
        "duplicates": [DuplicateOut.example],
        "sample": [SampleOut.example],
    }

    delimiter = SchemaNode(fields.Text())
    encoding = SchemaNode(fields.Text())
    rows = SchemaNode(fields.Integer())
    columns = SchemaNode(_texts())
    mapping = SchemaNode(fields.ChoiceMap(headers.FIELDS, _MAX_ENTRIES, _MAX_ENTRIES))
    date_formats = SchemaNode(_texts())
    unknown_statuses = SchemaNode(_texts())
    errors = SchemaNode(fields.ListOf(RowErrorOut()))
    duplicates = SchemaNode(fields.ListOf(DuplicateOut()))
    sample = SchemaNode(fields.ListOf(SampleOut()))


class CsvImportOut(fields.Schema):
    example = {
        "import_id": 4,
        "created": 12,
        "updated": 0,
        "skipped": 1,
        "failed": [RowErrorOut.example],
    }

    import_id = SchemaNode(fields.Integer())
    created = SchemaNode(fields.Integer())
    updated = SchemaNode(fields.Integer())
    skipped = SchemaNode(fields.Integer())
    failed = SchemaNode(fields.ListOf(RowErrorOut()))
