"""CSV (RFC 4180) for spreadsheets: UTF-8 with a byte order mark, which Excel needs, and without
formulas."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from jobtracker.errors import PayloadTooLarge

#: Bytes of a file.
MAX_BYTES = 8 * 1024 * 1024

# What begins a formula in a spreadsheet, with the full-width forms, which Excel takes too:
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def without_formula(value: Any) -> Any:
    """The value of a cell; a text that a spreadsheet would compute begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def without_apostrophe(text: str) -> str:
    """The text of a cell of :func:`without_formula`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def dumps(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A file with these rows.

    :raises PayloadTooLarge: above :data:`MAX_BYTES`
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for row in rows:
        writer.writerow([without_formula(value) for value in row])
        if text.tell() > MAX_BYTES:
            raise PayloadTooLarge("The report is too large. Please choose a shorter period.")
    return text.getvalue().encode("utf-8-sig")
