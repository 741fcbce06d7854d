"""Objects of named fields: the schemas, in and out."""

import functools
from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import colander

from jobtracker.fields.base import FieldType, InvalidValue
from jobtracker.fields.text import Text

# Of a list of errors nobody reads more; a hostile body could have a hundred thousand.
MAX_ERRORS = 100


class Object(FieldType):
    """A JSON object of named fields; a field it does not know is an error of its own."""

    def parse(self, node: Any, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise InvalidValue(node, "Must be an object.", "dict_type")
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
            errors.add(InvalidValue(stranger, "There is no such field.", "extra_forbidden"))
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
    def _out(self) -> tuple[list[str], dict[str, FieldType]]:
        """The fields' names, and those that the renderer needs help with."""
        helped = {
            child.name: child.typ
            for child in self.children
            if type(child.typ).dump is not FieldType.dump
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


class Nested(FieldType):
    """An object within an object, or null."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def dump(self, value: Any) -> dict[str, Any] | None:
        return None if value is None else self.schema.dump(value)


class ListOf(FieldType):
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
                "msg": str(child.msg)
                if isinstance(child, InvalidValue)
                else "A value is required.",
                "type": getattr(child, "type", "missing"),
            }
            for child in invalid.children
        ]
    return [{"loc": [where], "msg": str(invalid.msg), "type": getattr(invalid, "type", "invalid")}]


def _shown(name: str) -> str:
    """A field's name as it came in, bounded and encodable."""
    return name[:64].encode(errors="replace").decode()
