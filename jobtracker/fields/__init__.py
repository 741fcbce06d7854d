# ruff: noqa: F401 (the public names of the package; mypy: implicit_reexport)
"""Field types of the colander schemas of requests and responses, strict about JSON types.

Unlike colander's own types they convert nothing (to those, ``true`` and ``1.9`` are integers), and
their errors never contain the input.

Null and blank text both stand for no value: an error in a required field, the default in a field
that has one, None in a ``nullable`` one (or its ``when_null``). Text is blank if nothing of it is
visible. Other text is normalized, secrets excepted: :mod:`jobtracker.unicode`.
"""

from jobtracker.fields.base import FieldType, InvalidValue, title_of
from jobtracker.fields.codes import Code, normalized_code
from jobtracker.fields.containers import (
    BooleanMap,
    ChoiceMap,
    CommaList,
    Counts,
    FreeFormObject,
    JsonObject,
    TextList,
    TextMap,
)
from jobtracker.fields.errors import error_details, first_sentence, omitted_errors
from jobtracker.fields.numbers import Boolean, Integer, Number, QueryBoolean, QueryInteger
from jobtracker.fields.objects import (
    AnyOf,
    File,
    ListOf,
    Nested,
    Rendered,
    RowOut,
    Schema,
    merge_patch,
)
from jobtracker.fields.text import (
    Base64,
    Choice,
    Email,
    Lowercase,
    Prose,
    RawText,
    Text,
    WebAddress,
    one_of,
    trimmed_text,
)
from jobtracker.fields.times import Date, DateOrDatetime, Timestamp, TimeZone
