"""A file as it is given in a request: its table, what is not clear about it, and its jobs."""

from typing import Any, NamedTuple

from jobtracker.csv_imports import dates, headers, rows, tables
from jobtracker.csv_imports.queries import RowError
from jobtracker.csv_imports.rows import Jobs, Options
from jobtracker.csv_imports.tables import Table
from jobtracker.errors import ValidationFailed, enumeration

_NAMES = {"company_name": "company", "job_title": "job title"}


class File(NamedTuple):
    table: Table
    #: The field of each column, by its index.
    mapping: dict[int, str]
    date_formats: list[str]
    #: What a request has to say before the file can be imported; ``loc`` is its field.
    problems: list[RowError]
    jobs: Jobs

    @property
    def named_mapping(self) -> dict[str, str]:
        """The mapping by the names of the columns, or their indexes where those say nothing."""
        keys = headers.column_keys(self.table.columns)
        return {keys[index]: field for index, field in self.mapping.items()}

    def failed(self) -> list[RowError]:
        """The first error of each row that cannot be imported.

        :raises ValidationFailed: for the problems
        """
        if self.problems:
            errors = [
                {"loc": each.loc, "msg": each.msg, "type": "missing"} for each in self.problems
            ]
            raise ValidationFailed(errors, self.problems[0].msg)
        return list({error.row: error for error in reversed(self.jobs.errors)}.values())[::-1]


def read(given: dict[str, Any]) -> File:
    """The file of a validated request.

    :raises PayloadTooLarge: when it is too large
    :raises ValidationFailed: when it is no table, and for an invalid mapping
    """
    if (given["text"] is None) == (given["base64"] is None):
        message = "One of text and base64 is required."
        raise ValidationFailed.for_field("body", "text", message, "missing")
    table = tables.read(given["text"], given["base64"])
    if given["mapping"] is None:
        mapping = table.suggested_mapping()
    else:
        table = table.with_header_if_any(given["mapping"])
        mapping = table.resolve(given["mapping"])
    formats = table.date_formats(mapping)
    order = given["date_format"]
    problems = []
    of_rows = mapping
    if missing := [_NAMES[each] for each in headers.REQUIRED if each not in mapping.values()]:
        message = f"The mapping must have a column for the {enumeration(missing, 'and')}."
        problems.append(RowError(None, ["body", "mapping"], message))
    if order is None and len(formats) > 1:
        choices = enumeration(formats, "or")
        message = f"The dates are not clear: please choose the date format, {choices}."
        problems.append(RowError(None, ["body", "date_format"], message))
        # Without a guess.
        of_rows = {index: field for index, field in mapping.items() if field not in tables.DATES}
    elif order is None and formats and (found := dates.order_of(formats[0])) != dates.YMD:
        order = found  # with the year first, others can only be clear ones
    options = Options(of_rows, given["statuses"] or {}, order, given["tz"])
    jobs = Jobs([], [], []) if missing else rows.parse(table, options)
    return File(table, mapping, formats, problems, jobs)
