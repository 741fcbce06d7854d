"""CSV (RFC 4180) for spreadsheets: UTF-8 with a byte order mark, which Excel needs, and without
formulas."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

# Where a spreadsheet finds a formula: at the beginning of a cell, after blanks and quotation marks
# as well, and after a semicolon, a tab or a line break, where Excel begins a cell if these separate
# cells in the user's region; with the full-width forms, which Excel takes too.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = (
    r"(?:(?:\A|(?<=[;\t\r\n])){}(?=(?:[\"']|[^\S\t\r\n])*[=+\-@\uff1d\uff0b\uff0d\uff20])"
    r"|\A{}(?='*[\t\r\n]))"
)
_BEGIN_OF_FORMULA = re.compile(_FORMULA.format("", ""))
_APOSTROPHE = re.compile(_FORMULA.format("'", "'"))


def without_formula(value: Any) -> Any:
    """The value of a cell; in a text that a spreadsheet would compute, an apostrophe precedes what
    begins a formula."""
    return _BEGIN_OF_FORMULA.sub("'", value) if isinstance(value, str) else value


def without_apostrophes(text: str) -> str:
    """The text of a cell of :func:`without_formula`."""
    return _APOSTROPHE.sub("", text) if "'" in text else text


def encode(header: Sequence[str], pages: Iterable[Iterable[Sequence[Any]]]) -> Iterator[bytes]:
    """The parts of a file, one for each page of rows, the first one with the header."""
    lines = ["\ufeff"]
    writer = csv.writer(SimpleNamespace(write=lines.append))
    writer.writerow(header)
    for page in pages:
        writer.writerows(map(without_formula, row) for row in page)
        yield "".join(lines).encode()
        lines.clear()
    if lines:
        yield "".join(lines).encode()
