"""What a value on the wire can be: the colander types of all schemas, strict about JSON.

colander's own types convert (``true`` and ``1.9`` are integers to it, 5 is a string) and echo what
came in. These take the JSON type that they name and nothing else, say what is wrong without the
input, and tell its kind in ``type``.

Null and blank text mean the same: nothing. A field that needs a value refuses it; one that has a
default falls back to it; one that is ``nullable`` takes it (in a merge patch: is cleared by it).
"""

from jobtracker.fields.base import FieldType, InvalidValue
from jobtracker.fields.containers import (
    BooleanMap,
    Counts,
    FreeFormObject,
    JsonObject,
    TextList,
    TextMap,
)
from jobtracker.fields.numbers import Boolean, Integer, Number, QueryInteger
from jobtracker.fields.objects import (
    MAX_ERRORS,
    ListOf,
    Nested,
    Object,
    Schema,
    errors_of,
    merge_patch,
)
from jobtracker.fields.text import (
    Choice,
    Email,
    Lowercase,
    RawText,
    Text,
    WebAddress,
    checked_text,
    trimmed_text,
)
from jobtracker.fields.times import Date, DateOrDatetime, Timestamp

__all__ = [
    "MAX_ERRORS",
    "Boolean",
    "BooleanMap",
    "Choice",
    "Counts",
    "Date",
    "DateOrDatetime",
    "Email",
    "FieldType",
    "FreeFormObject",
    "Integer",
    "InvalidValue",
    "JsonObject",
    "ListOf",
    "Lowercase",
    "Nested",
    "Number",
    "Object",
    "QueryInteger",
    "RawText",
    "Schema",
    "Text",
    "TextList",
    "TextMap",
    "Timestamp",
    "WebAddress",
    "checked_text",
    "errors_of",
    "merge_patch",
    "trimmed_text",
]
