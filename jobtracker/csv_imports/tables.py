"""The table of a file: its columns and rows, and which fields of a job its columns are."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from jobtracker.csv_imports import dates, dialects, encodings, headers, words
from jobtracker.csv_imports.dialects import MAX_ROWS, InvalidFile, Record
from jobtracker.csv_imports.folding import folded
from jobtracker.errors import PayloadTooLarge, ValidationFailed
from jobtracker.jobs.models import Priority, Status

MAX_BYTES = 1024 * 1024
DATES = ("applied_date", "next_action_at", "last_action_at")
# What a column of marks has, as of "Applied?"; folded.
_MARK = re.compile(
    "|[ynxv10]|yes|no|true|false|checked|unchecked|ja|nein|oui|non|si|sim|nao|nee|tak|nie|wahr"
    "|falsch|vrai|faux|verdadero|falso|vero"
)


class Table(NamedTuple):
    encoding: str
    delimiter: str
    size_bytes: int
    #: The row of the header.
    header: int
    #: The names of the columns, blank where the header has none.
    columns: list[str]
    #: Without blank ones.
    rows: list[Record]

    def cells(self, index: int) -> list[str]:
        """The cells of a column that are not blank."""
        cells = (row.cells[index] for row in self.rows if index < len(row.cells))
        return [cell for cell in cells if cell.strip()]

    def suggested_mapping(self) -> dict[int, str]:
        """The field of each column, by the column's index: by its name, unless nothing in it can be
        a value of that field."""
        return headers.suggested(self.columns, self._fits)

    def _fits(self, index: int, field: str) -> bool:
        cells = self.cells(index)
        match field:
            case _ if not cells:
                return True
            case "applied_date":
                return not all(_MARK.fullmatch(folded(cell)) for cell in cells)
            case "next_action_at" | "last_action_at":
                return any(
                    re.search("[0-9]", cell) and not _MARK.fullmatch(folded(cell)) for cell in cells
                )
            case "job_url":
                return any(re.search("[.:/]", cell) for cell in cells)
            case "priority":
                return any(words.meaning_of(cell, Priority) for cell in cells)
        return True

    def resolve(self, mapping: Mapping[str, str]) -> dict[int, str]:
        """A mapping of columns by their names or indexes, by their indexes.

        :raises ValidationFailed: for a column that does not exist, and for a field of two columns
        """
        found: dict[int, str] = {}
        for key, field in mapping.items():
            index = headers.index_of(key, self.columns)
            if index is None:
                raise _invalid_mapping("Must have names or indexes of columns of the file.")
            if index in found or (field in found.values() and field not in headers.JOINED):
                raise _invalid_mapping("Can have each column, and each field, once.")
            found[index] = field
        return found

    def with_header_if_any(self, mapping: Mapping[str, str]) -> "Table":
        """The table, whose first row is one like the others if a mapping has indexes alone, and the
        row names no field: ``Applied`` can be a status."""
        names = [name for name in self.columns if not words.meaning_of(name, Status)]
        is_by_index = bool(mapping) and all(map(str.isdecimal, mapping))
        if not is_by_index or headers.number_of_fields(names):
            return self
        if len(self.rows) == MAX_ROWS:
            raise dialects.too_many_rows()
        rows = [Record(self.header, self.columns), *self.rows]
        return self._replace(columns=[""] * max(len(row.cells) for row in rows), rows=rows)

    def date_formats(self, mapping: Mapping[int, str]) -> list[str]:
        """The formats of all dates: :func:`jobtracker.csv_imports.dates.formats_of`."""
        indexes = [index for index, field in mapping.items() if field in DATES]
        return dates.formats_of(cell for index in indexes for cell in self.cells(index))


def _length(cells: list[str]) -> int:
    """The number of cells without the blank ones at the end."""
    return max((number for number, cell in enumerate(cells, 1) if cell.strip()), default=0)


def _invalid_mapping(message: str) -> ValidationFailed:
    return ValidationFailed.for_field("body", "mapping", message, "mapping")


def read(text: str | None, data: bytes | None) -> Table:
    """The table of a file.

    :param text: as a browser read it
    :param data: its bytes, if there is no text
    :raises PayloadTooLarge: above MAX_BYTES
    :raises ValidationFailed: when it is not a table, or has more than MAX_ROWS rows
    """
    size = len(data) if data is not None else len((text or "").encode("utf-8", "replace"))
    if size > MAX_BYTES:
        raise PayloadTooLarge(f"The file is too large: at most {MAX_BYTES} bytes.")
    if data is not None:
        text, encoding = encodings.decoded(data)
    else:
        text, encoding = encodings.repaired(text or "")
    delimiter, records = dialects.read(text)
    if not records:
        raise InvalidFile("The file is empty.", "missing")
    header = headers.header_index([record.cells for record in records])
    columns = [" ".join(name.split()) for name in records[header].cells]
    rows = records[header + 1 :]
    used = max((_length(row.cells) for row in rows), default=0)
    while len(columns) > used and not columns[-1]:
        columns.pop()
    if not rows:
        raise InvalidFile("The file has a header, but no rows.", "missing")
    if len(rows) > MAX_ROWS:
        raise dialects.too_many_rows()
    return Table(encoding, delimiter, max(size, 1), records[header].row, columns, rows)
