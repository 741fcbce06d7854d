"""The base of all types, and what is said of a wrong value."""

from typing import Any

import colander


class InvalidValue(colander.Invalid):
    """What is wrong with a value, with the kind of error in ``type``."""

    def __init__(self, node: Any, message: str, kind: str) -> None:
        super().__init__(node, message)
        self.type = kind


class FieldType(colander.SchemaType):
    """The base of the types: what nothing means to a field."""

    def deserialize(self, node: Any, cstruct: Any) -> Any:
        if cstruct is colander.null:
            return colander.null
        value = None if cstruct is None else self.parse(node, cstruct)
        return self.nothing(node) if value is None else value

    def parse(self, node: Any, value: Any) -> Any:
        """The value of a JSON value, or None where it is blank.

        :raises InvalidValue:
        """
        raise NotImplementedError

    def nothing(self, node: Any) -> Any:
        """What null or blank text means to the field.

        :raises InvalidValue: where it means that a value is missing
        """
        if getattr(node, "nullable", False):
            return getattr(node, "when_null", None)
        if node.missing is colander.required or node.missing is colander.drop:
            raise InvalidValue(node, "A value is required.", "missing")
        return node.missing

    def dump(self, value: Any) -> Any:
        """The value as it goes out, where the JSON renderer does not know it by itself."""
        return value
