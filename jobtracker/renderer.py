"""The JSON renderer: UTF-8, timestamps in UTC with ``Z``."""

from collections.abc import Callable
from typing import Any

import orjson
from pyramid.renderers import JSON


def json_dumps(
    value: Any,
    default: Callable[[Any], Any] | None = None,
    *,
    sort_keys: bool = False,
    **_kwargs: Any,
) -> bytes:
    """Return the value as compact JSON.

    :param default: converts a value that orjson does not serialize
    """
    option = orjson.OPT_UTC_Z | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    return orjson.dumps(value, default=default, option=option)


def includeme(config: Any) -> None:
    config.add_renderer("json", JSON(serializer=json_dumps))
