"""What a value on the wire can be: the colander types of all schemas, strict about JSON.

colander's own types convert (``true`` and ``1.9`` are integers to it, 5 is a string) and echo what
came in. These take the JSON type that they name and nothing else, say what is wrong without the
input, and tell its kind in ``type``.

Null and blank text mean the same: nothing. A field that needs a value refuses it; one that has a
default falls back to it; one that is ``nullable`` takes it (in a merge patch: is cleared by it).
"""

import datetime
import functools
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from operator import attrgetter, itemgetter
from typing import Any
from urllib.parse import urlsplit

import colander

from jobtracker.renderer import json_dumps

# Of a list of errors nobody reads more; a hostile body could have a hundred thousand.
MAX_ERRORS = 100


class Wrong(colander.Invalid):
    """What is wrong with a value, with the kind of error in ``type``."""

    def __init__(self, node: Any, message: str, kind: str) -> None:
        super().__init__(node, message)
        self.type = kind


class Type(colander.SchemaType):
    """The base of the types: what nothing means to a field."""

    def deserialize(self, node: Any, cstruct: Any) -> Any:
        if cstruct is colander.null:
            return colander.null
        value = None if cstruct is None else self.parse(node, cstruct)
        return self.nothing(node) if value is None else value

    def parse(self, node: Any, value: Any) -> Any:
        """The value of a JSON value, or None where it is blank.

        :raises Wrong:
        """
        raise NotImplementedError

    def nothing(self, node: Any) -> Any:
        """What null or blank text means to the field.

        :raises Wrong: where it means that a value is missing
        """
        if getattr(node, "nullable", False):
            return getattr(node, "when_null", None)
        if node.missing is colander.required or node.missing is colander.drop:
            raise Wrong(node, "A value is required.", "missing")
        return node.missing

    def dump(self, value: Any) -> Any:
        """The value as it goes out, where the JSON renderer does not know it by itself."""
        return value


def checked_text(node: Any, value: Any) -> str:
    """Text that PostgreSQL and UTF-8 can hold.

    :raises Wrong: for another type, NUL, or half of a surrogate pair
    """
    if not isinstance(value, str):
        raise Wrong(node, "Must be a string.", "string_type")
    if "\0" in value:
        raise Wrong(node, "Must not contain the character NUL.", "string_characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Wrong(node, "Must be valid Unicode.", "string_characters") from None
    return value


# What shows at all: no blank, no control character, no byte order mark.
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff]")


def trimmed_text(node: Any, value: Any) -> str:
    """Text without blanks at its ends, which is empty where nothing shows.

    :raises Wrong: as :func:`checked_text`
    """
    text = checked_text(node, value).strip()
    return text if _VISIBLE.search(text) else ""


class Text(Type):
    """Text, trimmed. ``max`` counts characters."""

    def __init__(self, max: int | None = None, pattern: str = "", hint: str = "") -> None:
        self.max = max
        self.pattern = re.compile(pattern) if pattern else None
        self.hint = hint

    def parse(self, node: Any, value: Any) -> str | None:
        return self.bounded(node, trimmed_text(node, value))

    def bounded(self, node: Any, text: str) -> str | None:
        if self.max is not None and len(text) > self.max:
            raise Wrong(node, f"Must be at most {self.max} characters.", "string_too_long")
        if text and self.pattern and not self.pattern.fullmatch(text):
            raise Wrong(node, self.hint, "string_pattern")
        return text or None


class Lowercase(Text):
    """Text, lowercased; so it is measured: some letters become two."""

    def parse(self, node: Any, value: Any) -> str | None:
        return self.bounded(node, trimmed_text(node, value).lower())


class Secret(Text):
    """Text that is taken as it is, blanks at its ends included: a password, an answer."""

    def parse(self, node: Any, value: Any) -> str | None:
        return self.bounded(node, checked_text(node, value))


class Email(Text):
    """An e-mail address, lowercased. 128 characters is Cognito's bound for a username.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SignUp.html
    """

    # RFC 5321's Dot-string of at most 64 characters, at a domain of two labels or more.
    ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
    LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    ADDRESS = rf"(?=[^@]{{1,64}}@){ATOM}(\.{ATOM})*@{LABEL}(\.{LABEL})+"

    def __init__(self) -> None:
        super().__init__(max=128, pattern=self.ADDRESS, hint="Must be an e-mail address.")

    def parse(self, node: Any, value: Any) -> str | None:
        text = trimmed_text(node, value)
        if not text.isascii():  # before it is lowercased: a Kelvin sign becomes a k
            raise Wrong(node, self.hint, "string_pattern")
        return self.bounded(node, text.lower())


class WebAddress(Text):
    """An http or https URL: one that is safe to show as a link."""

    # Labels of letters and digits, of any script, with hyphens between.
    HOST = re.compile(r"[^\W_]([\w-]*[^\W_])?(\.[^\W_]([\w-]*[^\W_])?)*\.?")

    def parse(self, node: Any, value: Any) -> str | None:
        text = super().parse(node, value)
        if text is not None and not self._is_web(text):
            raise Wrong(node, "Must be an http or https address.", "url_format")
        return text

    @staticmethod
    def _is_web(text: str) -> bool:
        # urlsplit drops tabs and newlines before it looks, as browsers do: "java\nscript:" is one.
        if re.search(r"[\x00-\x20\x7f\\]", text):
            return False
        try:
            parts = urlsplit(text)
            host, _port = parts.hostname or "", parts.port
        except ValueError:  # a port that is none, brackets that hold no IPv6 address
            return False
        is_host = WebAddress.HOST.fullmatch(host) or ":" in host
        return parts.scheme in ("http", "https") and bool(is_host)


class Choice(Type):
    """One of some words, in any case; lowercased."""

    def __init__(self, words: type[StrEnum] | Collection[str]) -> None:
        self.words = tuple(str(word) for word in words)

    def parse(self, node: Any, value: Any) -> str | None:
        word = trimmed_text(node, value).lower()
        if word and word not in self.words:
            raise Wrong(node, f"Must be one of {', '.join(self.words)}.", "enum")
        return word or None


class Integer(Type):
    """A whole number. ``1.0`` is one, as in JSON Schema; ``true`` is none."""

    def __init__(
        self, min: int | None = None, max: int | None = None, choices: Collection[int] = ()
    ) -> None:
        self.min, self.max, self.choices = min, max, tuple(choices)

    def parse(self, node: Any, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Wrong(node, "Must be a whole number.", "int_type")
        if self.choices and value not in self.choices:
            raise Wrong(node, f"Must be one of {', '.join(map(str, self.choices))}.", "enum")
        if self.min is not None and value < self.min:
            raise Wrong(node, f"Must be at least {self.min}.", "greater_than_equal")
        if self.max is not None and value > self.max:
            raise Wrong(node, f"Must be at most {self.max}.", "less_than_equal")
        return value


class Boolean(Type):
    """true or false."""

    def parse(self, node: Any, value: Any) -> bool:
        if not isinstance(value, bool):
            raise Wrong(node, "Must be true or false.", "bool_type")
        return value


class Date(Type):
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
            raise Wrong(node, "Must be a date like 2026-01-31.", "date_format") from None


class Timestamp(Type):
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
            raise Wrong(node, hint, "timestamp_format") from None


class JsonObject(Type):
    """Any JSON object that PostgreSQL, and JSON's parsers elsewhere, can hold as it is.

    :param max_bytes: of it as compact JSON, in UTF-8
    :param max_depth: objects and lists within each other; the object itself is the first
    """

    # What neither becomes a float, nor overflows, on its way through somebody's parser.
    INTEGERS = range(-(2**63), 2**63)

    def __init__(self, max_bytes: int, max_depth: int) -> None:
        self.max_bytes, self.max_depth = max_bytes, max_depth

    def parse(self, node: Any, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Wrong(node, "Must be an object.", "dict_type")
        self._check(node, value, 1)
        if len(json_dumps(value)) > self.max_bytes:
            raise Wrong(node, f"Must be at most {self.max_bytes} bytes of JSON.", "too_long")
        return value

    def _check(self, node: Any, value: Any, depth: int) -> None:
        if isinstance(value, dict | list):
            if depth > self.max_depth:
                raise Wrong(node, f"Must be at most {self.max_depth} levels deep.", "too_deep")
            inner = value if isinstance(value, list) else [*value, *value.values()]
            for item in inner:
                self._check(node, item, depth + 1)
        elif isinstance(value, str):
            checked_text(node, value)
        elif isinstance(value, int) and value not in self.INTEGERS:
            raise Wrong(node, "Must have whole numbers of at most 64 bits.", "number_range")
        elif isinstance(value, float) and not math.isfinite(value):
            raise Wrong(node, "Must have numbers that a double can hold.", "number_range")


class DayOrMoment(Timestamp):
    """A moment, or a day: its first moment, in UTC."""

    def parse(self, node: Any, value: Any) -> datetime.datetime | None:
        text = trimmed_text(node, value)
        return super().parse(node, f"{text}T00:00:00Z" if len(text) == 10 else text)


class WholeNumberText(Type):
    """A whole number in a query, where everything is text. It is digits, and no blanks.

    :param clamp: whether what is larger than ``max`` means ``max``, or is refused
    """

    def __init__(self, min: int, max: int, *, clamp: bool = False) -> None:
        self.min, self.max, self.clamp = min, max, clamp

    def parse(self, node: Any, value: Any) -> int:
        text = checked_text(node, value)
        if not re.fullmatch("[0-9]+", text):
            raise Wrong(node, f"Must be a whole number from {self.min}.", "int_type")
        # Nobody means more than 18 digits, and Python refuses to read thousands.
        number = int(text.lstrip("0")[:19] or "0")
        if number < self.min:
            raise Wrong(node, f"Must be at least {self.min}.", "greater_than_equal")
        if number > self.max and not self.clamp:
            raise Wrong(node, f"Must be at most {self.max}.", "less_than_equal")
        return min(number, self.max)


class Number(Type):
    """A number, which need not be whole. It only goes out."""


class OpenObject(Type):
    """An object whose fields depend on what it tells of. It only goes out."""


class Counts(Type):
    """An object of words and how many there are of each. It only goes out."""

    def __init__(self, words: type[StrEnum]) -> None:
        self.words = tuple(words)


class TextMap(Type):
    """An object of texts by name."""

    def __init__(self, max_entries: int, max_text: int) -> None:
        self.max_entries = max_entries
        self.text = Secret(max=max_text)

    def parse(self, node: Any, value: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise Wrong(node, "Must be an object.", "dict_type")
        if len(value) > self.max_entries:
            raise Wrong(node, f"Must have at most {self.max_entries} entries.", "too_long")
        return {
            self.text.parse(node, key) or "": self.text.parse(node, item) or ""
            for key, item in value.items()
        }


class BooleanMap(Type):
    """An object of booleans by name.

    :param key: the pattern of a name
    :param removable: whether a name's value can be null, as in a merge patch
    """

    def __init__(self, key: str, removable: bool = False) -> None:
        self.key, self.removable = re.compile(key), removable

    def parse(self, node: Any, value: Any) -> dict[str, bool | None]:
        if not isinstance(value, dict):
            raise Wrong(node, "Must be an object.", "dict_type")
        for key, item in value.items():
            if not self.key.fullmatch(key):
                hint = f"Must have names that match {self.key.pattern}."
                raise Wrong(node, hint, "string_pattern")
            if not isinstance(item, bool) and not (item is None and self.removable):
                raise Wrong(node, "Must have values that are true or false.", "bool_type")
        return value


class TextList(Type):
    """A list of texts."""

    def __init__(self, item: Type, max_items: int) -> None:
        self.item, self.max_items = item, max_items

    def parse(self, node: Any, value: Any) -> list[str]:
        if not isinstance(value, list):
            raise Wrong(node, "Must be a list.", "list_type")
        found = self.tidied(
            text for item in value if (text := self.item.parse(node, item)) is not None
        )
        if len(found) > self.max_items:
            raise Wrong(node, f"Must be at most {self.max_items}.", "too_long")
        return found

    def tidied(self, texts: Iterable[str]) -> list[str]:
        return list(texts)


class Object(Type):
    """A JSON object of named fields; a field it does not know is an error of its own."""

    def parse(self, node: Any, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Wrong(node, "Must be an object.", "dict_type")
        errors = colander.Invalid(node)
        parsed = {}
        for child in node.children:
            try:
                field = child.deserialize(value.get(child.name, colander.null))
            except colander.Invalid as error:
                errors.add(error)
            else:
                if field is not colander.drop:
                    parsed[child.name] = field
        known = {child.name for child in node.children}
        for name in (name for name in value if name not in known):
            if len(errors.children) >= MAX_ERRORS:
                break
            stranger = colander.SchemaNode(Text(), name=name)
            errors.add(Wrong(stranger, "There is no such field.", "extra_forbidden"))
        if errors.children:
            raise errors
        return parsed


@functools.cache
def _taking(row: type[Any], names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes these values from a row of that class: by their places in it, if it is a tuple,
    which costs a third of what their names do."""
    places: tuple[Any, ...] = names
    taking: Callable[..., Callable[[Any], Any]] = itemgetter
    if issubclass(row, tuple) and set(names) <= set(getattr(row, "_fields", ())):
        places = tuple(row._fields.index(name) for name in names)  # type: ignore[attr-defined]
    elif not issubclass(row, dict):
        taking = attrgetter
    if len(names) == 1:
        one = taking(*places)
        return lambda source: (one(source),)
    return taking(*places)


class Schema(colander.MappingSchema):
    """An object on the wire, in or out. Its name in the OpenAPI document is that of the class."""

    schema_type = Object
    example: Any = None
    component = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.component = cls.__name__

    @functools.cached_property
    def _out(self) -> tuple[list[str], dict[str, Type]]:
        """The fields' names, and those that the renderer needs help with."""
        helped = {
            child.name: child.typ
            for child in self.children
            if type(child.typ).dump is not Type.dump
        }
        return [child.name for child in self.children], helped

    def dump(self, source: Any) -> dict[str, Any]:
        """The fields of the schema, and no others, of a row or a dictionary."""
        return self.dump_all([source])[0]

    def dump_all(self, sources: Sequence[Any]) -> list[dict[str, Any]]:
        """The same of many, all of one class."""
        if not sources:
            return []
        names, helped = self._out
        row: Any = type(sources[0])
        take = _taking(row, tuple(names))
        dumped = [dict(zip(names, take(source), strict=True)) for source in sources]
        for name, typ in helped.items():
            for one in dumped:
                one[name] = typ.dump(one[name])
        return dumped


class Nested(Type):
    """An object within an object, or null."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def dump(self, value: Any) -> dict[str, Any] | None:
        return None if value is None else self.schema.dump(value)


class ListOf(Type):
    """A list of objects."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def dump(self, value: Sequence[Any]) -> list[dict[str, Any]]:
        return self.schema.dump_all(value)


def merge_patch(schema: Schema, component: str, example: Any = None) -> Schema:
    """The same fields for a JSON Merge Patch (RFC 7396): what is left out stays as it is.

    :param component: its name in the OpenAPI document
    """
    patch = schema.clone()
    patch.component, patch.example = component, example
    for child in patch.children:
        child.missing = colander.drop
    return patch


def errors_of(invalid: colander.Invalid, where: str) -> list[dict[str, Any]]:
    """An entry ``{"loc", "msg", "type"}`` for each field at fault."""
    if invalid.children:
        return [
            {
                "loc": [where, _shown(child.node.name)],
                "msg": str(child.msg) if isinstance(child, Wrong) else "A value is required.",
                "type": getattr(child, "type", "missing"),
            }
            for child in invalid.children
        ]
    return [{"loc": [where], "msg": str(invalid.msg), "type": getattr(invalid, "type", "invalid")}]


def _shown(name: str) -> str:
    """A field's name as it came in, bounded and encodable."""
    return name[:64].encode(errors="replace").decode()
