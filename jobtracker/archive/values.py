"""The values of an archive: the JSON of columns, by their type."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from jobtracker.fields.times import Date as DateField
from jobtracker.fields.times import Timestamp as TimestampField

JsonSchema = dict[str, Any]

# Of a bigint.
MAX_INTEGER = 2**63 - 1


class InvalidArchiveValue(ValueError):
    """A value that the field cannot have; the message is for the user."""


class ValueType(NamedTuple):
    """The JSON of values other than null.

    :param decode: returns the value of the column; raises InvalidArchiveValue
    """

    schema: JsonSchema
    decode: Callable[[Any], Any]


def of_column(column: sa.Column[Any], vocabulary: tuple[str, ...] = ()) -> ValueType:
    """The type of a column's values."""
    kind = column.type
    if vocabulary:
        return _choice(vocabulary)
    if isinstance(kind, sa.Integer):
        return ValueType({"type": "integer"}, _integer)
    if isinstance(kind, sa.String):
        return text_of(kind.length)
    if isinstance(kind, sa.DateTime):
        return ValueType({"type": "string", "format": "date-time"}, _timestamp)
    if isinstance(kind, sa.Date):
        return ValueType({"type": "string", "format": "date"}, _date)
    if isinstance(kind, sa.ARRAY):
        return ValueType({"type": "array", "items": {"type": "string"}}, _texts)
    if isinstance(kind, sa.JSON):
        return ValueType({"type": "object"}, _object)
    raise TypeError(f"{column}: the archive has no values of the type {kind!r}")


def _choice(vocabulary: tuple[str, ...]) -> ValueType:
    def decode(value: Any) -> str:
        if not isinstance(value, str) or value not in vocabulary:
            raise InvalidArchiveValue(f"Must be one of {', '.join(vocabulary)}.")
        return value

    return ValueType({"type": "string", "enum": list(vocabulary)}, decode)


def text_of(max_length: int | None) -> ValueType:
    def decode(value: Any) -> str:
        checked = text(value)
        if max_length is not None and len(checked) > max_length:
            raise InvalidArchiveValue(f"Must have at most {max_length} characters.")
        return checked

    bounds = {} if max_length is None else {"maxLength": max_length}
    return ValueType({"type": "string", **bounds}, decode)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidArchiveValue("Must be text.")
    if "\0" in value:
        raise InvalidArchiveValue("Must not contain the character NUL.")
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise InvalidArchiveValue("Must be an integer of at most 64 bits.")
    return value


def _timestamp(value: Any) -> datetime.datetime:
    if isinstance(value, str) and TimestampField.FORMAT.fullmatch(value):
        try:
            return datetime.datetime.fromisoformat(value.upper()).astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            pass
    raise InvalidArchiveValue("Must be a time with its UTC offset, like 2026-01-31T14:30:00Z.")


def _date(value: Any) -> datetime.date:
    if isinstance(value, str) and DateField.FORMAT.fullmatch(value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            pass
    raise InvalidArchiveValue("Must be a date like 2026-01-31.")


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise InvalidArchiveValue("Must be a list.")
    return [text(each) for each in value]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArchiveValue("Must be an object.")
    for each in _texts_within(value):
        text(each)
    return value


def _flags(value: Any) -> dict[str, bool]:
    if not all(isinstance(each, bool) for each in _object(value).values()):
        raise InvalidArchiveValue("Must be an object whose values are true or false.")
    return dict(value)


#: An object of options.
FLAGS = ValueType({"type": "object", "additionalProperties": {"type": "boolean"}}, _flags)


def _texts_within(value: Any) -> Iterator[str]:
    """All strings of a JSON value, names of properties included."""
    values = [value]
    while values:
        each = values.pop()
        if isinstance(each, dict):
            yield from each
            values.extend(each.values())
        elif isinstance(each, list):
            values.extend(each)
        elif isinstance(each, str):
            yield each
