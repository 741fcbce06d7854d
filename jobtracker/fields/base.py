"""The base class of the field types, and the error of an invalid value."""

from typing import Any

import colander


class InvalidValue(colander.Invalid):
    """An invalid value; ``type`` is the code of the error."""

    def __init__(self, node: Any, message: str, code: str) -> None:
        super().__init__(node, message)
        self.type = code


class FieldType(colander.SchemaType):
    """A field type: subclasses parse input, serialize output, or both."""

    def deserialize(self, node: Any, cstruct: Any) -> Any:
        if cstruct is colander.null:
            return colander.null
        value = None if cstruct is None else self.parse(node, cstruct)
        if value is not None:
            return value
        if getattr(node, "nullable", False):
            return getattr(node, "when_null", None)
        if node.missing in (colander.required, colander.drop):
            raise InvalidValue(node, "A value is required.", "missing")
        return node.missing

    def parse(self, node: Any, value: Any) -> Any:
        """The Python value of a JSON value, None for blank text; InvalidValue for others."""
        raise NotImplementedError

    def dump(self, value: Any) -> Any:
        """The value in a form that the JSON renderer serializes."""
        return value
