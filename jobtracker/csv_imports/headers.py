"""The header of a file: which field of a job a column has, by its name."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from jobtracker.csv_imports.folding import PLURAL, bag_of_words, phrases, vocabulary

#: The fields that several columns can have, whose cells are joined.
JOINED = ("tags", "notes")

FIELDS = (
    "company_name",
    "job_title",
    "location",
    "status",
    "applied_date",
    "job_url",
    "tags",
    "priority",
    "next_action_at",
    "next_action_title",
    "last_action_at",
    "notes",
)
REQUIRED = ("company_name", "job_title")

MAX_COLUMNS = 100
#: Records before the header: a title, a date.
MAX_PREAMBLE = 20
# Characters of a name; what is longer is none.
_MAX_NAME = 80

_PARENTHESES = re.compile(r"\(.*?\)|\[.*?\]|\*")
# Between alternatives, as in "Role / Position".
_OR = re.compile(r"[/&+]|\s(?:or|and|oder|und|et|ou|y|e|o|en|i)\s", re.IGNORECASE)


@functools.cache
def _fields_by_key() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The fields that each name means, and those that it can stand for."""
    certain: dict[str, list[str]] = {}
    possible: dict[str, list[str]] = {}
    for field, names in vocabulary()["headers"].items():
        for fields, table in zip((certain, possible), names.split("|"), strict=False):
            for name in phrases(table):
                fields.setdefault(bag_of_words(name, PLURAL), []).append(field)
    return certain, possible


def _fields_of(name: str, fields: Mapping[str, list[str]]) -> list[str]:
    """The fields of a name, of it without parentheses, or of the first of its alternatives that has
    any."""
    if not name or len(name) > _MAX_NAME:
        return []
    plain = _PARENTHESES.sub(" ", name)
    texts = dict.fromkeys((name, plain, *_OR.split(plain, maxsplit=3)))
    found = (fields.get(bag_of_words(text, PLURAL)) for text in texts)
    return next(filter(None, found), [])


def suggested(names: Sequence[str], fits: Callable[[int, str], bool]) -> dict[int, str]:
    """The field of each column whose name is known, by the column's index.

    :param fits: whether the cells of a column can have the values of a field
    """
    found: dict[int, str] = {}
    for fields in _fields_by_key():
        for index, name in enumerate(names):
            for field in _fields_of(name, fields) if index not in found else ():
                if (field in JOINED or field not in found.values()) and fits(index, field):
                    found[index] = field
                    break
    return dict(sorted(found.items()))


def number_of_fields(cells: Sequence[str]) -> int:
    """How many fields the cells name for certain."""
    certain, _possible = _fields_by_key()
    return len({field for cell in cells[:MAX_COLUMNS] for field in _fields_of(cell, certain)})


def header_index(lines: Sequence[Sequence[str]]) -> int:
    """Which of the first lines is the header: that which names the most fields; the first, if none
    names two."""
    numbers = [number_of_fields(cells) for cells in lines[: MAX_PREAMBLE + 1]]
    return numbers.index(max(numbers)) if max(numbers, default=0) > 1 else 0


def _folded_name(name: str) -> str:
    return " ".join(name.split()).casefold()


def column_keys(names: Sequence[str]) -> list[str]:
    """What identifies each column in a mapping: its name, or its index where that does not."""
    keys = [_folded_name(name) for name in names]
    return [
        str(index) if not key or key.isdecimal() or keys.count(key) > 1 else name
        for index, (name, key) in enumerate(zip(names, keys, strict=True))
    ]


def index_of(key: str, names: Sequence[str]) -> int | None:
    """The index of the column that a key of a mapping identifies; None if there is no such column,
    or several."""
    name, keys = _folded_name(key), [_folded_name(each) for each in names]
    if re.fullmatch("[0-9]{1,9}", name):
        return int(name) if int(name) < len(names) else None
    return keys.index(name) if keys.count(name) == 1 else None
