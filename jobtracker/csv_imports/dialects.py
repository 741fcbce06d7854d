"""The dialect of a CSV file (RFC 4180 and what programs make of it), and its records."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from jobtracker.csv_imports import headers
from jobtracker.csv_imports.headers import MAX_COLUMNS, MAX_PREAMBLE
from jobtracker.errors import ValidationFailed

if TYPE_CHECKING:
    from _csv import Reader

MAX_ROWS = 1000
# With blank ones.
MAX_LINES = 100_000
DELIMITERS = (",", ";", "\t", "|")

# The first line that tells Excel the delimiter.
_SEP = re.compile(r'\s*"?sep=(.)"?[,;\t|]* *(\r\n|\r|\n|$)', re.IGNORECASE)
# Records by which the delimiter is detected.
_DETECTED = 100
# A text as programs write it for Excel, which would otherwise make a number or a date of it.
_TEXT_FORMULA = re.compile(r'\s*="([^"]*)"\s*')
# A last record of its own, which becomes a part of text whose quotation mark is not closed.
_END = "\0"


class Record(NamedTuple):
    """A line of the table that is not blank."""

    #: As spreadsheets count it: from 1, with the header and blank lines.
    row: int
    cells: list[str]


class InvalidFile(ValidationFailed):
    """The file is no table, or has too much of it."""

    def __init__(self, message: str, kind: str = "csv_format") -> None:
        super().__init__([{"loc": ["body", "text"], "msg": message, "type": kind}], message)


def read(text: str) -> tuple[str, list[Record]]:
    """The delimiter, and the records.

    :raises InvalidFile: for a quotation mark that is not closed, an unknown delimiter, and more
        than MAX_COLUMNS columns, or many more than MAX_ROWS rows
    """
    delimiter = ""
    if (sep := _SEP.match(text)) and not sep[1].isalnum():
        delimiter, text = sep[1], text[sep.end() :]
        if delimiter not in DELIMITERS:
            raise InvalidFile(
                "The delimiter must be a comma, a semicolon, a tab or a vertical bar."
            )
    delimiter = delimiter or _detected(text)
    records = []
    for row, cells in _lines(text, delimiter):
        while len(cells) > MAX_COLUMNS and not cells[-1].strip():
            cells.pop()
        if len(cells) > MAX_COLUMNS:
            raise InvalidFile(f"The file can have at most {MAX_COLUMNS} columns.", "too_long")
        if any(cell.strip() for cell in cells):
            records.append(Record(row, [_text(cell) if '="' in cell else cell for cell in cells]))
        if len(records) > MAX_ROWS + MAX_PREAMBLE + 1:
            raise too_many_rows()
    return delimiter, records


def _text(cell: str) -> str:
    found = _TEXT_FORMULA.fullmatch(cell)
    return found[1] if found else cell


def _reader(text: str, delimiter: str) -> "Reader":
    # Blanks before a quotation mark are no part of the cell; in others they are trimmed later.
    lines = io.StringIO(text, newline="")
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = _reader(f"{text}\n{_END}", delimiter)
    for row in range(1, MAX_LINES):
        try:
            cells = next(reader)
        except csv.Error:  # a cell longer than csv.field_size_limit()
            raise _unclosed(row) from None
        if cells == [_END]:
            return
        if cells and cells[-1].endswith(_END):
            raise _unclosed(row)
        yield row, cells
    raise too_many_rows()


def too_many_rows() -> InvalidFile:
    message = f"The file can have at most {MAX_ROWS} rows. Please import it in several parts."
    return InvalidFile(message, "too_long")


def _unclosed(row: int) -> InvalidFile:
    return InvalidFile(f"In row {row} a quotation mark is not closed, or a cell is too long.")


def _detected(text: str) -> str:
    """The delimiter by which the header has the most known words; among equal ones, that by which
    most records have the same number of cells, and then that by which they have the most."""
    return max(DELIMITERS, key=lambda delimiter: _score(text, delimiter))


def _score(text: str, delimiter: str) -> tuple[int, float]:
    try:
        found = [cells for cells in islice(_reader(text, delimiter), _DETECTED) if any(cells)]
    except csv.Error:
        return 0, 0
    words = max(map(headers.number_of_fields, found[:MAX_PREAMBLE]), default=0)
    lengths = Counter(map(len, found))
    number, length = max(
        ((number, length) for length, number in lengths.items() if length > 1), default=(0, 1)
    )
    return words, number / max(1, len(found)) * (length - 1)
