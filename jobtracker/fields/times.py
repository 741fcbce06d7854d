"""Days and moments."""

import datetime
import re
from typing import Any

from jobtracker.fields.base import FieldType, InvalidValue
from jobtracker.fields.text import trimmed_text


class Date(FieldType):
    """A calendar day, YYYY-MM-DD."""

    def parse(self, node: Any, value: Any) -> datetime.date | None:
        text = trimmed_text(node, value)
        if not text:
            return None
        try:
            if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                raise ValueError
            return datetime.date.fromisoformat(text)
        except ValueError:
            raise InvalidValue(node, "Must be a date like 2026-01-31.", "date_format") from None


class Timestamp(FieldType):
    """A moment (RFC 3339). It comes in with any UTC offset, and is in UTC from there on.

    A leap second is none that PostgreSQL or Python know; digits beyond microseconds are cut off.
    """

    FORMAT = re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
        r"(Z|[+-][0-9]{2}:[0-9]{2})",
        re.IGNORECASE,
    )

    def parse(self, node: Any, value: Any) -> datetime.datetime | None:
        text = trimmed_text(node, value)
        if not text:
            return None
        try:
            if not self.FORMAT.fullmatch(text):
                raise ValueError
            return datetime.datetime.fromisoformat(text.upper()).astimezone(datetime.UTC)
        except (ValueError, OverflowError):  # by its offset it can be before year 1
            hint = "Must be a time with its UTC offset, like 2026-01-31T14:30:00+01:00."
            raise InvalidValue(node, hint, "timestamp_format") from None


class DateOrDatetime(Timestamp):
    """A moment, or a day: its first moment, in UTC."""

    def parse(self, node: Any, value: Any) -> datetime.datetime | None:
        text = trimmed_text(node, value)
        return super().parse(node, f"{text}T00:00:00Z" if len(text) == 10 else text)
