"""Lists of text, and JSON objects with arbitrary keys."""

import functools
import math
import re
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import Any

from jobtracker.errors import field_sentence
from jobtracker.fields.base import FieldType, InvalidValue
from jobtracker.fields.text import Choice, RawText, checked_text
from jobtracker.renderer import json_dumps


def checked_object(node: Any, value: Any) -> dict[str, Any]:
    """The value, if it is a JSON object; InvalidValue otherwise."""
    if not isinstance(value, dict):
        raise InvalidValue(node, "Must be an object.", "dict_type")
    return value


def too_many(node: Any, number: int) -> InvalidValue:
    """The error of more entries than a number."""
    return InvalidValue(node, f"Can have at most {number} entries.", "too_long")


class TextList(FieldType):
    """A list of text: blank items are dropped, and the others normalized, then counted.

    :param item_title: what people call an item
    """

    plural = True
    # Of items before that: a megabyte of blank ones would take half a second.
    MAX_GIVEN = 10_000

    def __init__(
        self,
        item: FieldType,
        max_items: int,
        normalize: Callable[[Iterable[str]], list[str]] = list,
        item_title: str = "entry",
    ) -> None:
        self.item, self.max_items, self.normalize = item, max_items, normalize
        self.item_title = item_title

    def parse(self, node: Any, value: Any) -> list[str]:
        if not isinstance(value, list):
            raise InvalidValue(node, "Must be a list.", "list_type")
        if len(value) > self.MAX_GIVEN:
            raise too_many(node, self.max_items)
        parsed = (self._parse_item(node, value, index) for index in range(len(value)))
        items = self.normalize(item for item in parsed if item is not None)
        if len(items) > self.max_items:
            raise too_many(node, self.max_items)
        return items

    def _parse_item(self, node: Any, items: list[Any], index: int) -> str | None:
        try:
            parsed: str | None = self.item.parse(node, items[index])
        except InvalidValue as error:
            subject = f"The {self.item_title}"
            if len(items) > 1:
                subject = f"{self.item_title.capitalize()} {index + 1}"
            sentence = field_sentence(subject, str(error.msg))
            raise InvalidValue(node, str(error.msg), error.type, sentence) from None
        return parsed


class CommaList(TextList):
    """A list in a query: its parameter can be repeated, and have several items with commas."""

    def __init__(self, item: FieldType, max_items: int, item_title: str = "entry") -> None:
        super().__init__(item, max_items, lambda items: list(dict.fromkeys(items)), item_title)

    def parse(self, node: Any, value: Any) -> list[str]:
        return super().parse(node, [item for each in value for item in each.split(",")])


class TextMap(FieldType):
    """A JSON object whose values are text."""

    plural = True

    def __init__(self, max_entries: int, max_text: int) -> None:
        self.max_entries, self.text = max_entries, RawText(max=max_text)

    def parse(self, node: Any, value: Any) -> dict[str, str]:
        if len(checked_object(node, value)) > self.max_entries:
            raise too_many(node, self.max_entries)
        if not all(isinstance(item, str) for item in value.values()):
            raise InvalidValue(node, "Must have values that are text.", "string_type")
        text = functools.partial(self.text.parse, node)
        return {text(key) or "": text(item) or "" for key, item in value.items()}


class ChoiceMap(FieldType):
    """A JSON object whose values are words of a set, matched without regard to case; those that are
    null or blank are left out.

    :param key_max: characters of a name
    """

    plural = True

    def __init__(self, words: type[StrEnum] | Collection[str], max_entries: int, key_max: int):
        self.choice, self.max_entries = Choice(words), max_entries
        self.key = RawText(max=key_max)

    def parse(self, node: Any, value: Any) -> dict[str, str]:
        if len(checked_object(node, value)) > self.max_entries:
            raise too_many(node, self.max_entries)
        found = {}
        for name, word in value.items():
            key = self.key.parse(node, name) or ""
            if word is not None and (choice := self.choice.parse(node, word)) is not None:
                found[key] = choice
        return found


class BooleanMap(FieldType):
    """A JSON object whose values are booleans; ``removable``: or null, as in a merge patch.

    :param hint: the message of an error where a name does not match the pattern ``key``
    """

    plural = True

    def __init__(self, key: str, removable: bool = False, hint: str = "") -> None:
        self.key, self.removable = re.compile(key), removable
        self.hint = hint or f"Must have names that match {key}."

    def parse(self, node: Any, value: Any) -> dict[str, bool | None]:
        for key, item in checked_object(node, value).items():
            if not self.key.fullmatch(key):
                raise InvalidValue(node, self.hint, "string_pattern")
            if not isinstance(item, bool) and not (item is None and self.removable):
                raise InvalidValue(node, "Must have values that are true or false.", "bool_type")
        return value


class JsonObject(FieldType):
    """Any JSON object that PostgreSQL and JSON parsers store without loss.

    The bounds are those of compact JSON in UTF-8, and of nested objects and lists, itself included.
    """

    # Other JSON parsers may read a larger integer as a float.
    INTEGERS = range(-(2**63), 2**63)

    def __init__(self, max_bytes: int, max_depth: int) -> None:
        self.max_bytes, self.max_depth = max_bytes, max_depth

    def parse(self, node: Any, value: Any) -> dict[str, Any]:
        self._check(node, checked_object(node, value))
        if len(json_dumps(value)) > self.max_bytes:
            raise self._too_long(node)
        return value

    def _check(self, node: Any, value: Any) -> None:
        pending = [(value, 1)]
        visited = 0
        while pending:
            item, depth = pending.pop()
            visited += 1
            if isinstance(item, dict | list):
                if depth > self.max_depth:
                    hint = f"Must be at most {self.max_depth} levels deep."
                    raise InvalidValue(node, hint, "too_deep")
                children = item if isinstance(item, list) else [*item, *item.values()]
                # Each has a byte of JSON at least: a megabyte of them would take half a second.
                if visited + len(pending) + len(children) > self.max_bytes:
                    raise self._too_long(node)
                pending += [(child, depth + 1) for child in children]
            elif isinstance(item, str):
                checked_text(node, item)
            elif isinstance(item, int) and item not in self.INTEGERS:
                hint = "Must have whole numbers of at most 64 bits."
                raise InvalidValue(node, hint, "number_range")
            elif isinstance(item, float) and not math.isfinite(item):
                hint = "Must have numbers that a double can hold."
                raise InvalidValue(node, hint, "number_range")

    def _too_long(self, node: Any) -> InvalidValue:
        return InvalidValue(node, f"Must be at most {self.max_bytes} bytes.", "too_long")


class Counts(FieldType):
    """The number of items by each value of an enum; output only."""

    def __init__(self, words: Collection[str]) -> None:
        self.words = words


class FreeFormObject(FieldType):
    """A JSON object without a fixed set of fields; output only."""
