"""Numbers and booleans."""

import re
from collections.abc import Collection
from typing import Any

from jobtracker.fields.base import FieldType, InvalidValue
from jobtracker.fields.text import checked_text, one_of


class Integer(FieldType):
    """An integer, ``1.0`` included, as in JSON Schema."""

    def __init__(
        self, min: int | None = None, max: int | None = None, choices: Collection[int] = ()
    ) -> None:
        self.min, self.max, self.choices = min, max, tuple(choices)

    def parse(self, node: Any, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidValue(node, "Must be a whole number.", "int_type")
        if self.choices and value not in self.choices:
            raise InvalidValue(node, one_of(self.choices), "enum")
        if self.min is not None and value < self.min:
            raise InvalidValue(node, f"Must be at least {self.min}.", "greater_than_equal")
        if self.max is not None and value > self.max:
            raise InvalidValue(node, f"Must be at most {self.max}.", "less_than_equal")
        return value


class QueryInteger(Integer):
    """A non-negative integer of a query string; ``clamp`` reduces a larger one to ``max``."""

    def __init__(self, min: int, max: int, *, clamp: bool = False) -> None:
        super().__init__(min, None if clamp else max)
        self.limit, self.clamp = max, clamp

    def parse(self, node: Any, value: Any) -> int:
        text = checked_text(node, value)
        if not re.fullmatch("[0-9]+", text):
            raise InvalidValue(node, f"Must be a whole number, at least {self.min}.", "int_type")
        # More digits than this exceed any bound, and int() refuses more than 4300 digits.
        return min(super().parse(node, int(text.lstrip("0")[:19] or "0")), self.limit)


class Number(FieldType):
    """A number; output only."""


class Boolean(FieldType):
    """``true`` or ``false``."""

    def parse(self, node: Any, value: Any) -> bool:
        if not isinstance(value, bool):
            raise InvalidValue(node, "Must be true or false.", "bool_type")
        return value


class QueryBoolean(Boolean):
    """``true`` or ``false`` in a query string."""

    def parse(self, node: Any, value: Any) -> bool:
        text = checked_text(node, value)
        return super().parse(node, {"true": True, "false": False}.get(text, text))
