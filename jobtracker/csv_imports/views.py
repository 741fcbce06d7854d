"""``/imports/csv``."""

from typing import Any

from pyramid.request import Request

from jobtracker.csv_imports import files
from jobtracker.csv_imports.resources import CsvImport, CsvImportResult
from jobtracker.csv_imports.schemas import (
    MAX_BODY_BYTES,
    CsvCheckOut,
    CsvImportIn,
    CsvImportOut,
    CsvIn,
)
from jobtracker.http.rate_limits import CSV_BY_USER
from jobtracker.http.service import ApiService, set_location
from jobtracker.permissions import Permission
from jobtracker.tree import Resource

# Rows that a check shows as jobs.
_SAMPLE = 10

csv = ApiService("csv_import", "/imports/csv", context=CsvImport)
check = ApiService("csv_check", "/imports/csv/check", context=CsvImport, traverse="/imports/csv")


@check.post(
    permission=Permission.WRITE,
    body=CsvIn(),
    returns=CsvCheckOut(),
    errors=(413,),
    rate_limits=[CSV_BY_USER],
    max_body_bytes=MAX_BODY_BYTES,
    idempotent=False,
    single_statement=True,
)
def post_csv_check(request: Request) -> dict[str, Any]:
    """What a CSV file has, before it is imported; nothing is stored.

    `text` is the file as it was read, or `base64` its bytes, in UTF-8, UTF-16, UTF-32,
    windows-1252, windows-1250 (Polish) or Mac OS Roman: then no character can be lost. It has at
    most 1,000 rows and 1 MiB.

    `mapping` is the field of each column, by the name of the column, or by its index, from 0, where
    the name is blank, a number or not the only one of its kind. With indexes alone, a first row
    without any known name is no header, but a job. `date_formats` are those that the
    dates can have: if there are several, a `date_format` has to be chosen. `unknown_statuses` need
    a status in `statuses`. `errors` has all errors of all rows, and `loc` the field; with `row`
    null, they are of the request. Rows are counted as spreadsheets do, the header included.
    `duplicates` are rows with company and title of a job, `job_id`, or of an earlier row, `of_row`,
    unless both have applied dates that differ. `sample` has the first ten rows as jobs.

    The other fields of the request are those of the import: the response is what they lead to."""
    file = files.read(request.validated)
    valid = file.jobs.valid
    return {
        "delimiter": file.table.delimiter,
        "encoding": file.table.encoding,
        "rows": len(file.table.rows),
        "columns": file.table.columns,
        "mapping": file.named_mapping,
        "date_formats": file.date_formats,
        "unknown_statuses": file.jobs.unknown_statuses,
        "errors": [*file.problems, *file.jobs.errors],
        "duplicates": [
            {"row": match.row.row, "job_id": match.job_id, "of_row": match.of_row}
            for match in request.context.duplicates(valid)
        ],
        "sample": [{**row.fields, "row": row.row, "notes": row.note} for row in valid[:_SAMPLE]],
    }


@csv.post(
    permission=Permission.WRITE,
    body=CsvImportIn(),
    returns=CsvImportOut(),
    status=201,
    errors=(409, 413),
    rate_limits=[CSV_BY_USER],
    max_body_bytes=MAX_BODY_BYTES,
)
def post_csv_import(request: Request) -> CsvImportResult:
    """Add the jobs of a CSV file: all rows that are valid, in one transaction.

    `mapping`, `date_format` and `tz` are by default what the check of the file has found, and UTC.
    `statuses` gives words of the file a status, beside those that are known. Dates are those in the
    time zone `tz`, and so are times without an offset. A row that is a duplicate is skipped, added
    (`on_duplicate` `add`), or sets the fields that it has, and adds its note (`update`).

    `failed` has the first error of each row that was not imported. `DELETE /imports/{import_id}`
    puts all that was added into the trash; what was updated remains. Beyond the quota of jobs,
    nothing is imported."""
    given = request.validated
    file = files.read(given)
    failed = file.failed()
    outcome: CsvImportResult = request.context.run(
        file.jobs.valid,
        on_duplicate=given["on_duplicate"],
        failed=failed,
        filename=given["filename"],
        size_bytes=file.table.size_bytes,
    )
    set_location(request, Resource(request.context.__parent__, str(outcome.import_id)))
    return outcome
