"""Schemas: JSON objects with a fixed set of fields, and objects and lists within them."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import colander
import orjson

from jobtracker.fields.base import FieldType, InvalidValue
from jobtracker.fields.numbers import Integer
from jobtracker.fields.text import Text

# Errors of unknown fields that one response reports at most.
MAX_ERRORS = 100


class Object(FieldType):
    """A JSON object with a fixed set of fields; each unknown field is an error."""

    def parse(self, node: Any, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise InvalidValue(node, "Must be an object.", "dict_type")
        unknown = dict(value)
        errors = colander.Invalid(node)
        parsed = {}
        for child in node.children:
            try:
                field = child.deserialize(unknown.pop(child.name, colander.null))
            except colander.Invalid as error:
                errors.add(error)
            else:
                if field is not colander.drop:
                    parsed[child.name] = field
        reported = list(unknown)[: max(0, MAX_ERRORS - len(errors.children))]
        errors.omitted = len(unknown) - len(reported)
        for name in reported:
            unknown_field = colander.SchemaNode(Text(), name=name)
            message, sentence = "There is no such field.", "There is an unknown field."
            errors.add(InvalidValue(unknown_field, message, "extra_forbidden", sentence))
        if errors.children:
            raise errors
        return parsed


@functools.cache
def _dumper(
    row_type: type[Any], names: tuple[str, ...]
) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
    """A function that returns these fields of each of several rows of the type.

    Its code is generated, as that of a NamedTuple is: benchmarks/README.md.
    """
    columns = getattr(row_type, "_fields", ())
    if set(names) <= set(columns):
        row, value = f"({', '.join(columns)},)", "{0}"
    else:
        row, value = "row", "row[{0!r}]" if issubclass(row_type, dict) else "row.{0}"
    fields = ", ".join(f"{name!r}: {value.format(name)}" for name in names)
    # Of names in schemas and NamedTuples, never of input.
    dumper: Callable[[Sequence[Any]], list[dict[str, Any]]]
    dumper = eval(f"lambda rows: [{{{fields}}} for {row} in rows]", {})  # noqa: S307
    return dumper


class Schema(colander.MappingSchema):
    """The schema of a JSON object, of a request or of a response."""

    schema_type = Object
    # In the OpenAPI document: an example, and the name, that of the class.
    example: Any = None
    component = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.component = cls.__name__

    @functools.cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(child.name for child in self.children)

    @functools.cached_property
    def _nested(self) -> "list[tuple[str, Nested | ListOf]]":
        """The fields that the JSON renderer does not serialize by itself."""
        types = [(child.name, child.typ) for child in self.children]
        return [(name, typ) for name, typ in types if isinstance(typ, Nested | ListOf)]

    @functools.cached_property
    def defaults(self) -> dict[str, Any]:
        """The fields of an empty object."""
        return self.deserialize({})

    def dump(self, source: Any) -> dict[str, Any]:
        """The schema's fields, and no others, of a row or a dictionary."""
        return self.dump_all([source])[0]

    def dump_all(self, sources: Sequence[Any]) -> list[dict[str, Any]]:
        """The schema's fields of each of several rows, all of one type."""
        if not sources:
            return []
        row_type: Any = type(sources[0])
        dumped = _dumper(row_type, self._names)(sources)
        for name, typ in self._nested:
            for fields in dumped:
                fields[name] = typ.dump(fields[name])
        return dumped


class RowOut(Schema):
    """The id, with which the output of every row begins."""

    id = colander.SchemaNode(Integer())


class Nested(FieldType):
    """An object within an object, or null; output only."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def dump(self, value: Any) -> dict[str, Any] | None:
        return None if value is None else self.schema.dump(value)


#: JSON that is part of other JSON as it is.
Rendered = orjson.Fragment


class ListOf(FieldType):
    """A list of objects, of rows or rendered already; output only."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def dump(self, value: Sequence[Any] | Rendered) -> list[dict[str, Any]] | Rendered:
        return value if isinstance(value, Rendered) else self.schema.dump_all(value)


class AnyOf(FieldType):
    """An object of one of several schemas, dumped already; output only.

    :param schemas: returns them, once all are known
    """

    def __init__(self, schemas: Callable[[], Sequence[Schema]]) -> None:
        self.schemas = schemas


class File(FieldType):
    """The body of a response in another format than JSON, which is sent as its parts are made;
    output only."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type

    def render(self, value: Iterable[bytes]) -> Iterator[bytes]:
        """The parts. The first one is made at once: an error in it is still a response."""
        parts = iter(value)
        return itertools.chain([next(parts)], parts)


def merge_patch(schema: Schema, component: str, example: Any = None) -> Schema:
    """The schema of a JSON Merge Patch (RFC 7396), in which every field can be left out."""
    patch = schema.clone()
    patch.component, patch.example = component, example
    for child in patch.children:
        child.missing = colander.drop
    return patch
