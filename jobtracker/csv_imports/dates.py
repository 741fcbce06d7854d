"""Dates and times as spreadsheets and trackers write them.

Only dates of numbers with the year last can be ambiguous: ``03/04/2026``.
"""

import contextlib
import datetime
import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from jobtracker.csv_imports.folding import folded, vocabulary

YMD, DMY, MDY = "ymd", "dmy", "mdy"
_PLACES = {"y": "YYYY", "m": "MM", "d": "DD"}
_FORMAT = re.compile(r"[^a-z]*([ymd])\1*[^a-z]*([ymd])\2*[^a-z]*([ymd])\3*[^a-z]*")

_FILLER = re.compile("of|the|del?|do|den|der|le|il|el|st|nd|rd|th|er|o|a|r|roku")

# Day 0 of Excel's dates since 1900-03-01; Google Sheets and LibreOffice have the same.
_SERIAL_ZERO = datetime.datetime(1899, 12, 30)  # noqa: DTZ001
# 1954 to 2173: a number of fewer digits is no date.
_SERIAL = re.compile(r"(?P<days>[2-9][0-9]{4})(?:[.,](?P<fraction>[0-9]{1,12}))?")
_NUMBERS = re.compile(
    r"(?P<a>[0-9]{1,4})(?P<sep>\s?[-./]\s?)(?P<b>[0-9]{1,2})(?P=sep)(?P<c>[0-9]{4}|[0-9]{1,2})\.?"
)
# Others are mistyped, and the first and the last year are no time in each time zone.
_YEARS = range(1900, 2200)
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_WITH_WORDS = re.compile(r"[\w\s.,/º°ª'-]{6,40}")
_TOKEN = re.compile(r"[^\W\d_]+|[0-9]+")
_WEEKDAY = re.compile(r"[^\W\d_]{2,12}(-feira)?[.,]*\s+(?=[0-9])")
_TIME = re.compile(
    r"(?:t|[,\s]\s*(?:at |um |a las |a la |alle |as |à |-\s)?)"
    r"(?P<hour>[0-9]{1,2})[:h](?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?(?:[.,][0-9]+)?"
    r"\s*(?P<half>[ap]\.?\s?m\.?)?(?:\s*uhr)?"
    r"\s*(?P<zone>z|\(?(?:utc|gmt)?\s?(?P<sign>[+-])(?P<zh>[0-9]{1,2}):?(?P<zm>[0-9]{2})?\)?"
    r"|\(?utc\)?|\(?gmt\)?|\(?[a-z]{3,5}\)?)?(?:\s\([a-z .]+\))?",
    re.IGNORECASE,
)
# Of Notion's ranges, the first date.
_RANGE = re.compile(r"\s*(?:→|->).*", re.DOTALL)


class Moment(NamedTuple):
    """A date, with the time of day and the UTC offset where the cell has them."""

    day: datetime.date
    time: datetime.time = datetime.time()
    offset: datetime.timezone | None = None

    def date_in(self, zone: datetime.tzinfo) -> datetime.date:
        """The date in a time zone; that of the cell, if it has no offset."""
        return self.day if self.offset is None else self.at(zone).astimezone(zone).date()

    def at(self, zone: datetime.tzinfo) -> datetime.datetime:
        """The time; of a date alone, its midnight in the time zone."""
        return datetime.datetime.combine(self.day, self.time, self.offset or zone)


def order_of(date_format: str) -> str | None:
    """``dmy`` of ``DD.MM.YYYY``, ``d/m/y`` or ``%d-%m-%Y``; None of what is no format."""
    found = _FORMAT.fullmatch(date_format.strip().lower())
    order = "".join(found.groups()) if found else ""
    return order if order in (YMD, DMY, MDY) else None


def formats_of(cells: Iterable[str]) -> list[str]:
    """The formats that the dates of numbers can have: several if some of them are ambiguous, and
    no other says which format it is, or if some contradict others."""
    certain: dict[str, str] = {}  # the separator by the order
    ambiguous: dict[str, str] = {}
    year_first: dict[str, str] = {}
    for cell in cells:
        numbers = _NUMBERS.fullmatch(_split(cell)[0])
        if numbers is None:
            continue
        orders = _possible_orders(numbers)
        found = year_first if orders == [YMD] else certain if len(orders) == 1 else ambiguous
        for order in orders:
            if numbers["a"] != numbers["b"] or len(orders) == 1:
                found.setdefault(order, numbers["sep"].strip())
    if ambiguous and len(certain) != 1:
        certain = ambiguous | certain
    orders_found = certain or year_first
    return [
        sep.join(_PLACES[place] for place in order) for order, sep in sorted(orders_found.items())
    ]


def parse(cell: str, order: str | None = None) -> Moment | None:
    """The date of a cell; None if it is none.

    :param order: of numbers with the year last
    """
    text, time, offset = _split(cell)
    if found := _SERIAL.fullmatch(text):
        return _of_serial(found)
    if (numbers := _NUMBERS.fullmatch(text)) is not None:
        day = _of_numbers(numbers, order)
    elif (compact := _COMPACT.fullmatch(text)) is not None:
        day = _date(*compact.groups())
    else:
        day = _of_words(text)
    return None if day is None or time is None else Moment(day, time, offset)


def _split(cell: str) -> tuple[str, datetime.time | None, datetime.timezone | None]:
    """The text of the date, the time (None if there is no such time of day), and its offset."""
    text = _RANGE.sub("", cell[:100]).strip().lstrip("@")
    time: datetime.time | None = datetime.time()
    offset = None
    for found in _TIME.finditer(text):
        if found.end() == len(text) and found.start():
            text, time = text[: found.start()].strip(" ,"), _time_of(found)
            offset = _offset_of(found)
            break
    return _WEEKDAY.sub("", text) if _NUMBERS.search(text) else text, time, offset


def _time_of(found: re.Match[str]) -> datetime.time | None:
    hour, half = int(found["hour"]), (found["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    with contextlib.suppress(ValueError):
        return datetime.time(hour, int(found["minute"]), int(found["second"] or 0))
    return None


def _offset_of(found: re.Match[str]) -> datetime.timezone | None:
    zone = (found["zone"] or "").lower().strip("()")
    if zone in ("z", "utc", "gmt"):
        return datetime.UTC
    if not found["sign"]:
        return None  # none, or a name, many of which have several meanings
    minutes = int(found["zh"]) * 60 + int(found["zm"] or 0)
    with contextlib.suppress(ValueError):
        delta = datetime.timedelta(minutes=minutes)
        return datetime.timezone(-delta if found["sign"] == "-" else delta)
    return None


def _possible_orders(numbers: re.Match[str]) -> list[str]:
    a, b, c = (numbers[name] for name in "abc")
    if len(a) > 2:
        return [YMD] if _date(a, b, c) else []
    orders = [order for order in (DMY, MDY) if _of_numbers(numbers, order)]
    # With dots, the day is always the first.
    return orders[:1] if "." in numbers["sep"] else orders


def _of_numbers(numbers: re.Match[str], order: str | None) -> datetime.date | None:
    a, b, c = (numbers[name] for name in "abc")
    if len(a) > 2:
        return _date(a, b, c)
    order = order or (_possible_orders(numbers) or [DMY])[0]
    if order == YMD and len(c) > 2:
        return None
    parts = dict(zip(order, (a, b, c), strict=True))
    return _date(parts["y"], parts["m"], parts["d"])


def _of_serial(found: re.Match[str]) -> Moment:
    days = datetime.timedelta(int(found["days"]) + float(f"0.{found['fraction'] or 0}"))
    at = _SERIAL_ZERO + datetime.timedelta(seconds=round(days.total_seconds()))
    return Moment(at.date(), at.time())


def _of_words(text: str) -> datetime.date | None:
    """The date of ``Fri, Apr 3, 2026``, ``3. April 2026``, ``3 de abr. de 2026``, ``3-Apr-26``."""
    if not _WITH_WORDS.fullmatch(text):
        return None
    tokens = [token for token in _TOKEN.findall(text.lower()) if not _FILLER.fullmatch(token)]
    # The last of the words is the month: one before it is the name of the day.
    months = [_month(folded(token)) for token in tokens if token.isalpha()]
    numbers = [token for token in tokens if token.isdecimal()]
    if not months or months[-1] is None or len(numbers) != 2:
        return None
    day, year = reversed(numbers) if len(numbers[0]) == 4 else numbers
    return _date(year, str(months[-1]), day)


@functools.lru_cache(256)
def _month(word: str) -> int | None:
    """The month of a name, or of at least three letters that begin the names of no other month."""
    names = enumerate(vocabulary()["dates"]["months"].split())
    found = {index % 12 + 1 for index, name in names if len(word) >= 3 and name.startswith(word)}
    return found.pop() if len(found) == 1 else None


def _date(year: str, month: str, day: str) -> datetime.date | None:
    """The date; of a year of two digits, that of 1970 to 2069."""
    if len(year) not in (2, 4) or len(day) > 2:
        return None
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= 70 else 2000
    with contextlib.suppress(ValueError):
        day_of_year = datetime.date(number, int(month), int(day))
        return day_of_year if number in _YEARS else None
    return None
