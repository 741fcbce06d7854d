"""The rows of a table as jobs: with the fields, and the errors, of ``POST /jobs``."""

import datetime
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import colander

from jobtracker import fields
from jobtracker.csv_imports import dates, words
from jobtracker.csv_imports.dates import Moment
from jobtracker.csv_imports.dialects import Record
from jobtracker.csv_imports.folding import folded
from jobtracker.csv_imports.headers import JOINED
from jobtracker.csv_imports.queries import JobOfRow, RowError
from jobtracker.csv_imports.tables import Table
from jobtracker.fields import error_details
from jobtracker.jobs.models import Priority, Status
from jobtracker.jobs.schemas import JobIn
from jobtracker.notes.schemas import NoteIn
from jobtracker.reports.csv_format import without_apostrophes

_JOB, _NOTE = JobIn(), NoteIn()
_LINE_BREAK = re.compile("\r\n?")
_TAG_DELIMITERS = re.compile(r"[,;|\n]")
_HYPERLINK = re.compile(r'=HYPERLINK\(\s*"[^"]*"\s*[,;]\s*"([^"]*)"\s*\)', re.IGNORECASE)
# What stands for an empty cell in a field that is no name and no prose.
_BLANK = re.compile(r"[-\u2013\u2014_.?]*|#?n/?a|none|null|nan|tbd|tba", re.IGNORECASE)
_TEXTS = ("company_name", "job_title", "status", "notes")
_URL = re.compile(r"https?://[^\s\"'<>()\[\]]+", re.IGNORECASE)
_WITHOUT_SCHEME = re.compile(r"www\.\S+|[\w-]+(\.[\w-]+)*\.[^\W\d_]{2,}(:\d+)?/\S*", re.IGNORECASE)


class Options(NamedTuple):
    """What cells mean."""

    #: The field of each column, by its index.
    mapping: Mapping[int, str]
    #: Of words that are not known, or that mean another status; that of the blank word is for rows
    #: without a status.
    statuses: Mapping[str, str]
    #: Of dates of numbers with the year last, as :func:`jobtracker.csv_imports.dates.parse` has it.
    order: str | None
    zone: datetime.tzinfo


class Jobs(NamedTuple):
    valid: list[JobOfRow]
    #: Of the other rows, all of them.
    errors: list[RowError]
    #: The statuses that are not known, as the file has them.
    unknown_statuses: list[str]


def parse(table: Table, options: Options) -> Jobs:
    statuses = {folded(word): status for word, status in options.statuses.items()}
    parser = _Parser(table, options._replace(statuses=statuses))
    valid, errors = [], []
    for record in table.rows:
        job, of_row = parser.job(record)
        errors += of_row
        if job is not None:
            valid.append(job)
    return Jobs(valid, errors, list(parser.unknown_statuses))


class _Parser:
    def __init__(self, table: Table, options: Options) -> None:
        self.columns = table.columns
        self.options = options
        self.unknown_statuses: dict[str, None] = {}
        # Of several columns with notes, each has its name before its text.
        self.labels_notes = list(options.mapping.values()).count("notes") > 1

    def job(self, record: Record) -> tuple[JobOfRow | None, list[RowError]]:
        """The job of a row, None if there are errors."""
        row = record.row
        if any(cell.strip() for cell in record.cells[len(self.columns) :]):
            message = (
                f"Has {len(record.cells)} cells, and the header {len(self.columns)}: a cell with a"
                " delimiter must be in quotation marks."
            )
            return None, [RowError(row, ["row"], message)]
        values: dict[str, Any] = {}
        errors = []
        for field, cell in self._cells(record).items():
            try:
                values[field] = self._value(field, cell)
            except ValueError as error:
                errors.append(RowError(row, ["row", field], str(error)))
        given = frozenset(values) - {"notes"}
        if "" in self.options.statuses:
            values.setdefault("status", self.options.statuses[""])
        invalid = {error.loc[-1] for error in errors}
        job, note = {}, None
        body = values.pop("notes", None)
        try:
            job = _JOB.deserialize(values)
        except colander.Invalid as error:
            found = error_details(error, "row")
            of_job = [RowError(row, each["loc"], each["msg"]) for each in found]
            errors += [each for each in of_job if each.loc[-1] not in invalid]
        if body is not None:
            try:
                note = _NOTE.deserialize({"body": body})["body"]
            except colander.Invalid as error:
                message = error_details(error, "row")[0]["msg"]
                errors.append(RowError(row, ["row", "notes"], message))
        if errors:
            return None, errors
        return JobOfRow(row, job, given, note), []

    def _cells(self, record: Record) -> dict[str, str]:
        """The text of each field that is not blank."""
        found: dict[str, str] = {}
        for index, field in self.options.mapping.items():
            cell = record.cells[index] if index < len(record.cells) else ""
            cell = _LINE_BREAK.sub("\n", cell).strip()
            if field != "job_url" and (link := _HYPERLINK.fullmatch(cell)):
                cell = link[1]
            cell = without_apostrophes(cell)
            if not cell.strip() or (field not in _TEXTS and _BLANK.fullmatch(cell)):
                continue
            if field == "notes" and self.labels_notes and self.columns[index]:
                cell = f"{self.columns[index]}: {cell}"
            joint = "\n" if field in JOINED else ""
            found[field] = f"{found[field]}{joint}{cell}" if field in found else cell
        return found

    def _value(self, field: str, cell: str) -> Any:
        """The JSON value of a cell; ValueError with a message if it has none."""
        match field:
            case "status":
                return self._status(cell)
            case "priority":
                if (priority := words.meaning_of(cell, Priority)) is None:
                    raise ValueError(fields.one_of(Priority))
                return priority
            case "applied_date":
                return self._moment(cell).date_in(self.options.zone).isoformat()
            case "next_action_at" | "last_action_at":
                at = self._moment(cell).at(self.options.zone)
                return at.astimezone(datetime.UTC).isoformat()
            case "tags":
                return _TAG_DELIMITERS.split(cell)
            case "job_url":
                return _url(cell)
        return cell

    def _status(self, cell: str) -> str:
        status = self.options.statuses.get(folded(cell)) or words.meaning_of(cell, Status)
        if status is None:
            self.unknown_statuses.setdefault(" ".join(cell.split()))
            raise ValueError("Is no known status: say which one it is.")
        return status

    def _moment(self, cell: str) -> Moment:
        moment = dates.parse(cell, self.options.order)
        if moment is None:
            example = {dates.DMY: "31/01/2026", dates.MDY: "01/31/2026"}.get(
                self.options.order or "", "2026-01-31"
            )
            raise ValueError(f"Must be a date like {example}.")
        return moment


def _url(cell: str) -> str:
    """The URL in a cell: of a formula and of Markdown as well, and one without its scheme."""
    if _WITHOUT_SCHEME.fullmatch(cell):
        return f"https://{cell}"
    found = _URL.search(cell)
    return found[0] if found and found.start() else cell
