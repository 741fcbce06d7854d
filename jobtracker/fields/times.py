"""Dates and timestamps."""

import contextlib
import datetime
import functools
import re
import zoneinfo
from typing import Any

from jobtracker.fields.base import FieldType, InvalidValue
from jobtracker.fields.text import trimmed_text


class Date(FieldType):
    """A calendar date, ``YYYY-MM-DD``."""

    FORMAT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

    def parse(self, node: Any, value: Any) -> datetime.date | None:
        text = trimmed_text(node, value)
        if not text:
            return None
        with contextlib.suppress(ValueError):  # a day that the month does not have
            if self.FORMAT.fullmatch(text):
                return datetime.date.fromisoformat(text)
        raise InvalidValue(node, "Must be a date like 2026-01-31.", "date_format")


class Timestamp(FieldType):
    """A timestamp (RFC 3339) with any UTC offset, converted to UTC.

    Digits beyond microseconds are cut off; a leap second is an error, as in PostgreSQL and Python.
    """

    FORMAT = re.compile(
        rf"{Date.FORMAT.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]+)?"
        r"(Z|[+-][0-9]{2}:[0-9]{2})",
        re.IGNORECASE,
    )

    HINT = "Must be a time with its UTC offset, like 2026-01-31T14:30:00+01:00."

    def parse(self, node: Any, value: Any) -> datetime.datetime | None:
        text = trimmed_text(node, value)
        if not text:
            return None
        with contextlib.suppress(ValueError, OverflowError):  # the offset can lead out of range
            if self.FORMAT.fullmatch(text):
                return datetime.datetime.fromisoformat(text.upper()).astimezone(datetime.UTC)
        raise InvalidValue(node, self.HINT, "timestamp_format")


class DateOrDatetime(Timestamp):
    """A timestamp, or a date, which stands for its midnight in UTC."""

    HINT = (
        "Must be a date like 2026-01-31, or a time with its UTC offset, like "
        "2026-01-31T14:30:00+01:00."
    )

    def parse(self, node: Any, value: Any) -> datetime.datetime | None:
        text = trimmed_text(node, value)
        return super().parse(node, f"{text}T00:00:00Z" if len(text) == 10 else text)


class TimeZone(FieldType):
    """A time zone by its name in the IANA database, as in ``Europe/Vienna``."""

    UTC = zoneinfo.ZoneInfo("UTC")

    def parse(self, node: Any, value: Any) -> zoneinfo.ZoneInfo | None:
        text = trimmed_text(node, value)
        if not text:
            return None
        # Not the name alone: a name is a path of a file.
        if text not in self._names():
            raise InvalidValue(node, "Must be a time zone like Europe/Vienna.", "time_zone")
        return zoneinfo.ZoneInfo(text)

    @staticmethod
    @functools.cache
    def _names() -> set[str]:
        return zoneinfo.available_timezones()
