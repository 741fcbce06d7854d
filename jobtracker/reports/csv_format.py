"""CSV (RFC 4180) for spreadsheets: UTF-8 with a byte order mark, which Excel needs, and without
formulas."""

import csv
import re
from collections.abc import Iterable, Sequence
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

from jobtracker.errors import PayloadTooLarge

#: Bytes of a file.
MAX_BYTES = 8 * 1024 * 1024

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


def dumps(header: Sequence[str], rows: Iterable[tuple[Any, Sequence[Any]]]) -> bytes:
    """A file with these rows, in the order of their keys.

    :param rows: key and cells of each
    :raises PayloadTooLarge: above :data:`MAX_BYTES`, as soon as that is known
    """
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append))
    writer.writerow(header)
    keys, size = [], 0
    for key, cells in rows:
        writer.writerow(map(without_formula, cells))
        keys.append(key)
        size += len(lines[-1].encode())
        if size > MAX_BYTES:
            raise PayloadTooLarge("The report is too large. Please choose a shorter period.")
    in_order = sorted(zip(keys, lines[1:], strict=True), key=itemgetter(0))
    return "".join([lines[0], *(line for _key, line in in_order)]).encode("utf-8-sig")
