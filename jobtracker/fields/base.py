"""The base class of the field types, and the error of an invalid value."""

from collections.abc import Iterator
from typing import Any

import colander

from jobtracker.renderer import json_dumps


class InvalidValue(colander.Invalid):
    """An invalid value.

    :param message: has the field as its subject: "Must be true or false."
    :param code: the ``type`` of the error
    :param sentence: the message for people, if it is not made of the field's title and the message
    """

    def __init__(self, node: Any, message: str, code: str, sentence: str = "") -> None:
        super().__init__(node, message)
        self.type, self.sentence = code, sentence


def title_of(node: Any) -> str:
    """What people call a field: the title of its node, by default its name."""
    title: str = node.title
    # Colander makes a title of the name: "Company Name". Those of the schemas are like "job URL".
    return title.lower() if title.istitle() else title


class FieldType(colander.SchemaType):
    """A field type: subclasses parse input, serialize output, or both."""

    #: Whether titles of its fields are in the plural.
    plural = False
    #: Of a response of this type.
    media_type = "application/json"

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

    def render(self, value: Any) -> bytes | Iterator[bytes]:
        """The body of a response, or its parts."""
        return json_dumps(self.dump(value))
